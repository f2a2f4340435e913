using Ata.Bindings.Generator;

return CommandLine.Run(args);
