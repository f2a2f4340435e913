using System.CommandLine;
using Ata.Cli;
using Ata.Cli.Verbs;

RootCommand root = new("Recognises actions in video with Alignment-guided Temporal Attention.")
{
    InfoVerb.Create(),
    ImportVerb.Create(),
    InitVerb.Create(),
    PredictVerb.Create(),
    SampleVerb.Create(),
    ForwardVerb.Create(),
    AlignVerb.Create(),
    BenchVerb.Create(),
    TrainVerb.Create(),
    EvalVerb.Create(),
    CompareVerb.Create(),
    SynthVerb.Create(),
};
return await CommandLine.RunAsync(root, args);
