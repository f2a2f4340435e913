using System.Text.Json.Serialization;
using Ata.Bindings;
using Ata.Interop;

namespace Ata.Training;

/// <summary>Update rules.</summary>
public enum OptimizerKind
{
    /// <summary>Adam with decoupled weight decay (Loshchilov and Hutter, 2019).</summary>
    AdamW = 0,

    /// <summary>Stochastic gradient descent with momentum; decay is added to the gradient.</summary>
    Sgd = 1,
}

/// <summary>How gradients become updates of the weights, and what regularises them.</summary>
public sealed record OptimizerOptions
{
    /// <summary>Update rule.</summary>
    public OptimizerKind Kind { get; init; } = OptimizerKind.AdamW;

    /// <summary>AdamW: decay of the first moment, in [0, 1).</summary>
    public float Beta1 { get; init; } = 0.9f;

    /// <summary>AdamW: decay of the second moment, in [0, 1).</summary>
    public float Beta2 { get; init; } = 0.999f;

    /// <summary>AdamW: added to the root of the second moment, above 0.</summary>
    public float Epsilon { get; init; } = 1e-8f;

    /// <summary>SGD: momentum in [0, 1).</summary>
    public float Momentum { get; init; } = 0.9f;

    /// <summary>SGD: Nesterov's form.</summary>
    public bool Nesterov { get; init; }

    /// <summary>Weight decay, at least 0; biases, norms and embeddings have none.</summary>
    public float WeightDecay { get; init; } = 0.05f;

    /// <summary>Factor of the learning rate from one block to the one before it, in (0, 1].</summary>
    public float LayerDecay { get; init; } = 1;

    /// <summary>Factor of the learning rate of new parameters, above 0.</summary>
    public float NewParameterScale { get; init; } = 1;

    /// <summary>Comma-separated patterns (<c>*</c>, <c>?</c>) of the new parameters; null for the temporal modules,
    /// the time embedding and the head.</summary>
    public string? NewParameters { get; init; }

    /// <summary>Comma-separated patterns of parameters that are not trained; null for none.</summary>
    public string? Frozen { get; init; }

    /// <summary>Largest global norm of the gradient; 0 for no clipping.</summary>
    public float ClipNorm { get; init; } = 1;

    /// <summary>Label smoothing in [0, 1).</summary>
    public float LabelSmoothing { get; init; }

    /// <summary>Stochastic depth (Huang et al., 2016): probability in [0, 1) of dropping a sample's residual branches
    /// in the last block, growing linearly from 0 in the first.</summary>
    public float StochasticDepth { get; init; }

    /// <summary>Dropout probability in [0, 1).</summary>
    public float Dropout { get; init; }

    /// <summary>Decay of the exponential moving average of the weights, in [0, 1); 0 for no average. With an average,
    /// validation and the saved models use it.</summary>
    public float AverageDecay { get; init; }

    /// <summary>Arithmetic of forward and backward; the weights that are updated are always 32-bit.</summary>
    public Precision Precision { get; init; } = Precision.Float32;

    /// <summary>Keeps only each block's input and computes the rest again in the backward pass: less memory, more
    /// time.</summary>
    public bool Recompute { get; init; }

    /// <summary>Most threads that a step uses; null for <see cref="AtaRuntime.ThreadCount"/>. Results do not depend on it,
    /// and a run does not record it.</summary>
    [JsonIgnore]
    public int? Threads { get; init; }

    /// <summary>Seed of dropout and stochastic depth.</summary>
    [JsonIgnore]
    internal ulong Seed { get; init; }

    /// <param name="newParameters">The patterns' text, alive as long as the result.</param>
    /// <param name="frozen">The patterns' text, alive as long as the result.</param>
    internal unsafe ata_train_options ToNative(byte* newParameters, byte* frozen) => new()
    {
        struct_size = (nuint)sizeof(ata_train_options),
        optimizer = (ata_optimizer)Kind,
        beta1 = Beta1,
        beta2 = Beta2,
        epsilon = Epsilon,
        momentum = Momentum,
        nesterov = Nesterov ? 1 : 0,
        weight_decay = WeightDecay,
        layer_decay = LayerDecay,
        new_parameter_scale = NewParameterScale,
        new_parameters = newParameters,
        frozen = frozen,
        clip_norm = ClipNorm,
        label_smoothing = LabelSmoothing,
        stochastic_depth = StochasticDepth,
        dropout = Dropout,
        ema_decay = AverageDecay,
        precision = (ata_precision)Precision,
        recompute = Recompute ? 1 : 0,
        seed = Seed,
        threads = OptionValue.PositiveOrZero(Threads),
    };
}
