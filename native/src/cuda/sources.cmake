# What the CUDA plugin is made of, for its target and for those of tests/native/cuda_emulator.
set(ATA_CUDA_HOST_SOURCES
  alignment.cc
  assignment.cc
  blas.cc
  device.cc
  linear.cc
  plugin.cc
  stream_state.cc
  table.cc)
set(ATA_CUDA_KERNEL_SOURCES
  kernels/attention.cu
  kernels/attention_gradient.cu
  kernels/elementwise.cu
  kernels/embedding.cu
  kernels/fixed_point_solver.cu
  kernels/float64_solver.cu
  kernels/layer_norm.cu
  kernels/layer_norm_gradient.cu
  kernels/meeting_trajectories.cu
  kernels/rows.cu
  kernels/similarity.cu
  kernels/soft_alignment.cu
  kernels/split_similarity.cu
  kernels/temporal_attention.cu
  kernels/temporal_attention_gradient.cu
  kernels/training.cu
  kernels/trajectories.cu
  kernels/transport.cu
  kernels/value_ranges.cu)
# In its place the emulated plugin has its stand-ins.
set(ATA_CUDA_LIBRARIES_SOURCE "${CMAKE_CURRENT_LIST_DIR}/libraries.cc")
list(TRANSFORM ATA_CUDA_HOST_SOURCES PREPEND "${CMAKE_CURRENT_LIST_DIR}/")
list(TRANSFORM ATA_CUDA_KERNEL_SOURCES PREPEND "${CMAKE_CURRENT_LIST_DIR}/")
# The rooms that it is built on.
set(ATA_CUDA_ROOMS ata_alignment ata_backend)
