using System.Runtime.InteropServices;
using Ata.Bindings;

namespace Ata.Interop;

internal sealed unsafe class CancellationHandle(ata_cancellation* pointer)
    : NativeHandle<ata_cancellation>(pointer, nameof(CancellationToken))
{
    protected override void ReleaseNative(ata_cancellation* pointer) => NativeMethods.ata_cancellation_release(pointer);
}

internal sealed unsafe class TensorHandle(ata_tensor* pointer, string owner, long bytes)
    : NativeHandle<ata_tensor>(pointer, owner, pressure: bytes)
{
    protected override void ReleaseNative(ata_tensor* pointer) => NativeMethods.ata_tensor_release(pointer);
}

internal sealed unsafe class TensorFileHandle(ata_tensor_file* pointer)
    : NativeHandle<ata_tensor_file>(pointer, nameof(TensorFile), pressure: HeldBytes.Least)
{
    protected override void ReleaseNative(ata_tensor_file* pointer) => NativeMethods.ata_tensor_file_release(pointer);
}

internal sealed unsafe class AssignerHandle(ata_assigner* pointer)
    : NativeHandle<ata_assigner>(pointer, nameof(Assigner), pressure: HeldBytes.Least)
{
    protected override void ReleaseNative(ata_assigner* pointer) => NativeMethods.ata_assigner_release(pointer);
}

internal sealed unsafe class OnlineAlignerHandle(ata_online_aligner* pointer, long bytes)
    : NativeHandle<ata_online_aligner>(pointer, nameof(OnlineAligner), pressure: bytes)
{
    protected override void ReleaseNative(ata_online_aligner* pointer) =>
        NativeMethods.ata_online_aligner_release(pointer);
}

internal sealed unsafe class ModelHandle(ata_model* pointer, long bytes)
    : NativeHandle<ata_model>(pointer, nameof(Model), pressure: HeldBytes.Least + bytes)
{
    protected override void ReleaseNative(ata_model* pointer) => NativeMethods.ata_model_release(pointer);
}

internal sealed unsafe class SessionHandle(ata_session* pointer, SafeHandle model)
    : NativeHandle<ata_session>(pointer, nameof(Session), model, HeldBytes.NewSession)
{
    protected override void ReleaseNative(ata_session* pointer) => NativeMethods.ata_session_release(pointer);
}

internal sealed unsafe class TemporalBlockHandle(ata_temporal_block* pointer, long bytes)
    : NativeHandle<ata_temporal_block>(pointer, nameof(TemporalBlock), pressure: bytes)
{
    protected override void ReleaseNative(ata_temporal_block* pointer) =>
        NativeMethods.ata_temporal_block_release(pointer);
}

internal sealed unsafe class VideoHandle(ata_video* pointer, long bytes)
    : NativeHandle<ata_video>(pointer, nameof(VideoReader), pressure: bytes)
{
    protected override void ReleaseNative(ata_video* pointer) => NativeMethods.ata_video_release(pointer);
}

internal sealed unsafe class VideoViewsHandle(ata_video_views* pointer)
    : NativeHandle<ata_video_views>(pointer, nameof(VideoReader), pressure: HeldBytes.Least)
{
    protected override void ReleaseNative(ata_video_views* pointer) => NativeMethods.ata_video_views_release(pointer);
}

internal sealed unsafe class VideoWriterHandle(ata_video_writer* pointer, long bytes)
    : NativeHandle<ata_video_writer>(pointer, nameof(VideoWriter), pressure: bytes)
{
    protected override void ReleaseNative(ata_video_writer* pointer) => NativeMethods.ata_video_writer_release(pointer);
}
