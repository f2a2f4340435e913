using System.Runtime.InteropServices;
using Ata.Bindings;
using Ata.Interop;
using Xunit;

namespace Ata.Tests;

/// <summary>The defaults that C# shows are those of the library.</summary>
public sealed unsafe class DefaultsTests
{
    [Fact]
    public void Options_HaveTheLibrarysDefaults()
    {
        ata_alignment_options alignment;
        NativeStatus.Check(NativeMethods.ata_alignment_options_init(&alignment, (nuint)sizeof(ata_alignment_options)));
        AssertSame(alignment, new AlignmentOptions().ToNative(alignment.device));

        ata_assign_options assign;
        NativeStatus.Check(NativeMethods.ata_assign_options_init(&assign, (nuint)sizeof(ata_assign_options)));
        AssertSame(assign, new AssignmentOptions().ToNative(assign.device));

        ata_import_options import;
        NativeStatus.Check(NativeMethods.ata_import_options_init(&import, (nuint)sizeof(ata_import_options)));
        AssertSame(import, new ImportOptions().ToNative(import.key, import.ignore, import.device));

        ata_video_options video;
        NativeStatus.Check(NativeMethods.ata_video_options_init(&video, (nuint)sizeof(ata_video_options)));
        AssertSame(video, new VideoOptions().ToNative());

        ata_clip_options clip;
        NativeStatus.Check(NativeMethods.ata_clip_options_init(&clip, (nuint)sizeof(ata_clip_options)));
        AssertSame(clip, new ClipOptions().ToNative());

        ata_frame_layout layout;
        NativeStatus.Check(NativeMethods.ata_frame_layout_init(&layout, (nuint)sizeof(ata_frame_layout)));
        layout.width = 4;
        layout.height = 6;
        layout.strides[0] = 12;
        AssertSame(layout, new FrameLayout(PixelFormat.Rgb, 4, 6).ToNative());

        ata_model_options model;
        NativeStatus.Check(NativeMethods.ata_model_options_init(&model, (nuint)sizeof(ata_model_options)));
        AssertSame(model, new ModelOptions().ToNative(model.device));

        ata_temporal_block_options block;
        NativeStatus.Check(NativeMethods.ata_temporal_block_options_init(&block, (nuint)sizeof(ata_temporal_block_options)));
        AssertSame(block, new TemporalBlockOptions().ToNative(block.device));

        ata_mi_options information;
        NativeStatus.Check(NativeMethods.ata_mi_options_init(&information, (nuint)sizeof(ata_mi_options)));
        AssertSame(information, new InformationOptions().ToNative());
    }

    [Fact]
    public void ModelConfig_HasTheLibrarysDefaults()
    {
        ModelConfig named = ModelConfig.Named("vit-base");
        ModelConfig written = new()
        {
            ImageSize = 224,
            PatchSize = 16,
            Dim = 768,
            Depth = 12,
            Heads = 12,
            Frames = 8,
            Classes = 400,
        };

        Assert.Equal(named, written);
        Assert.InRange(named.ParameterCount, 121_000_000, 122_000_000);
    }

    [Fact]
    public void Enums_HaveTheLibrarysValues()
    {
        AssertSameEnum<AtaStatus, ata_status>(skip: 1);
        AssertSameEnum<Activation, ata_activation>();
        AssertSameEnum<AlignmentMethod, ata_alignment>();
        AssertSameEnum<CheckpointSource, ata_checkpoint_source>();
        AssertSameEnum<FrameSampling, ata_sampling_kind>();
        AssertSameEnum<InformationEstimator, ata_mi_estimator>();
        AssertSameEnum<ImportNoteKind, ata_import_note_kind>();
        AssertSameEnum<Interpolation, ata_interpolation>();
        AssertSameEnum<PositionInterpolation, ata_positions>();
        AssertSameEnum<Precision, ata_precision>();
        AssertSameEnum<ShortVideoPolicy, ata_short_policy>();
        AssertSameEnum<TemporalMode, ata_temporal_mode>();
        AssertSameEnum<TensorElementType, ata_dtype>();
    }

    private static void AssertSame<T>(T expected, T actual)
        where T : unmanaged => Assert.Equal(
            MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in expected)).ToArray(),
            MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in actual)).ToArray());

    private static void AssertSameEnum<TManaged, TNative>(int skip = 0)
        where TManaged : struct, Enum
        where TNative : struct, Enum => Assert.Equal(
            Enum.GetValues<TNative>().Select(value => Convert.ToInt32(value)).Skip(skip),
            Enum.GetValues<TManaged>().Select(value => Convert.ToInt32(value)));
}
