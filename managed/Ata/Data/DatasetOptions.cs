namespace Ata.Data;

/// <summary>How a dataset's list is written.</summary>
public enum DatasetFormat
{
    /// <summary>Recognise it by the name and the content.</summary>
    Auto,

    /// <summary>A list with a header that names at least <c>path</c> and <c>label</c> (docs/formats.md has all names);
    /// <c>group</c>, <c>split</c>, <c>start_time</c> and <c>end_time</c> are optional, and other columns are ignored. The
    /// header of Kinetics (<c>label,youtube_id,time_start,time_end,split</c>) is understood too.</summary>
    Table,

    /// <summary>A video a line without a header: path and label, separated by a comma, a tab, a semicolon or a space.</summary>
    Kinetics,

    /// <summary>Something-Something V2: a JSON array of objects with <c>id</c> and <c>template</c>, and beside it
    /// the JSON object that numbers the templates.</summary>
    SomethingSomething,

    /// <summary>UCF101: a <c>trainlist01.txt</c> or <c>testlist01.txt</c>, or the folder that holds them.</summary>
    Ucf101,

    /// <summary>HMDB51: the folder of the <c>ACTION_test_split1.txt</c> files.</summary>
    Hmdb51,

    /// <summary>A folder for each class, with the videos in it; optionally below a folder for each split.</summary>
    Folder,
}

/// <summary>How to read a dataset.</summary>
public sealed record DatasetOptions
{
    /// <summary>How the list is written.</summary>
    public DatasetFormat Format { get; init; } = DatasetFormat.Auto;

    /// <summary>Folder that relative paths start from; null for the list's own folder.</summary>
    public string? Root { get; init; }

    /// <summary>A file that names the classes: one a line in the order of their numbers, or the labels JSON of
    /// Something-Something; null if the list says it all.</summary>
    public string? LabelsFile { get; init; }

    /// <summary>The classes in the order of their numbers, such as a model's, where no file names them: every label must be
    /// one of them. Null to take them from the list.</summary>
    public IReadOnlyList<string>? Labels { get; init; }

    /// <summary>Which of the three splits of UCF101 and HMDB51 to read: 1, 2 or 3.</summary>
    public int Fold { get; init; } = 1;
}
