namespace Ata.Data;

/// <summary>One labelled video of a dataset, or a part of one.</summary>
/// <param name="Path">The video file, or a folder of numbered images.</param>
/// <param name="Label">Name of its class.</param>
/// <param name="Group">What must not be divided between training and validation, such as the person filmed or
/// the recording it was cut from; empty if unknown.</param>
/// <param name="Split">"train", "val" or "test", or another name that the list uses; empty if the list does not
/// say.</param>
/// <param name="Start">Where the labelled part begins; null for the beginning of the video.</param>
/// <param name="End">Where the labelled part ends; null for the end of the video. Clips are taken from the part as if the
/// rest of the video were not there.</param>
public sealed record VideoItem(string Path, string Label, string Group = "", string Split = "", TimeSpan? Start = null, TimeSpan? End = null);
