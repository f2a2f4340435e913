# What the CUDA plugin is made of, for its target and for those of tests/native/cuda_emulator.
set(ATA_CUDA_HOST_SOURCES device.cc plugin.cc stream_state.cc table.cc)
set(ATA_CUDA_KERNEL_SOURCES kernels/elementwise.cu)
list(TRANSFORM ATA_CUDA_HOST_SOURCES PREPEND "${CMAKE_CURRENT_LIST_DIR}/")
list(TRANSFORM ATA_CUDA_KERNEL_SOURCES PREPEND "${CMAKE_CURRENT_LIST_DIR}/")
