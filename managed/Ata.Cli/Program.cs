return await Ata.Cli.CommandLine.RunAsync(args);
