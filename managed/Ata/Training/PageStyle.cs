namespace Ata.Training;

/// <summary>The look that the pages written by this project share: colours for light and dark, type, and
/// <see cref="SvgChart"/>'s charts.</summary>
internal static class PageStyle
{
    /// <summary>A style sheet.</summary>
    internal const string Text = """
        :root{color-scheme:light dark;--ink:#1c1e21;--paper:#fff;--faint:#d9dce1;--soft:#6a7079;--c0:#2264c8;--c1:#d1580b;--c2:#1d8a4e;--c3:#8a3fc4;--c4:#b01d5f;--c5:#00838a;--c6:#7a6a00;--c7:#5b6470}
        @media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--paper:#15171a;--faint:#363b42;--soft:#9aa1ab;--c0:#6ea8ff;--c1:#ff9a52;--c2:#58c98a;--c3:#c18cf0;--c4:#ff7eb0;--c5:#4fd0d6;--c6:#d8c64a;--c7:#a9b1bc}}
        body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
        main{max-width:120rem;margin:0 auto;padding:1rem 1.5rem}p,li{max-width:60rem}
        h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
        figure{margin:0}svg{width:100%;height:auto;max-width:60rem}svg text{font-size:11px;fill:var(--soft)}
        .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,34rem),1fr));gap:0 2.5rem}.charts>section{min-width:0}
        .grid{stroke:var(--faint)}polyline{fill:none;stroke-width:2}
        .line0{stroke:var(--c0)}.line1{stroke:var(--c1)}.line2{stroke:var(--c2);stroke-dasharray:6 3}.line3{stroke:var(--c3);stroke-dasharray:2 3}
        .line4{stroke:var(--c4)}.line5{stroke:var(--c5);stroke-dasharray:8 2 2 2}.line6{stroke:var(--c6);stroke-dasharray:4 4}.line7{stroke:var(--c7)}
        .dot0{fill:var(--c0)}.dot1{fill:var(--c1)}.dot2{fill:var(--c2)}.dot3{fill:var(--c3)}.dot4{fill:var(--c4)}.dot5{fill:var(--c5)}.dot6{fill:var(--c6)}.dot7{fill:var(--c7)}
        figcaption{color:var(--soft);font-size:.9rem}figcaption span{white-space:nowrap}.key{margin-right:1rem;border-bottom:3px solid}
        .key0{border-color:var(--c0)}.key1{border-color:var(--c1)}.key2{border-color:var(--c2)}.key3{border-color:var(--c3)}.key4{border-color:var(--c4)}.key5{border-color:var(--c5)}.key6{border-color:var(--c6)}.key7{border-color:var(--c7)}
        @media(max-width:40rem){svg text{font-size:18px}}
        """;
}
