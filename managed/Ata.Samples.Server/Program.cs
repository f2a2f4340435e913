using Ata.Samples.Server;

WebApplicationBuilder builder = WebApplication.CreateBuilder(args);

// The section "Ata" of the configuration; on the command line --Ata:ModelPath model.safetensors.
builder.Services.AddAta();
builder.Services.AddHealthChecks().AddAta();
builder.Services.AddOptions<UploadOptions>()
    .BindConfiguration(UploadOptions.Section)
    .Validate(options => options.MaxBytes > 0, "Upload:MaxBytes must be above 0.")
    .ValidateOnStart();
builder.WebHost.ConfigureKestrel((context, server) =>
{
    server.Limits.MaxRequestBodySize =
        (context.Configuration.GetSection(UploadOptions.Section).Get<UploadOptions>() ?? new UploadOptions()).MaxBytes;
    // Uploads go to disk as they come: what is between need not be a megabyte for each client.
    server.Limits.MaxRequestBufferSize = 64 << 10;
});

WebApplication app = builder.Build();
app.MapGet("/ping", () => "pong");
app.MapHealthChecks("/health");
app.MapPost("/predict", PredictEndpoint.PredictAsync);
app.Run();
