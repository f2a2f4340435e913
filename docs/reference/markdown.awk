# markdown.awk: what GitHub says otherwise than Doxygen. Its headings have other anchors, so that links lead to pages; files that are
# no pages of the reference (LICENSE, folders' README.md, sources) are shown by their names.

# LINE with every link that matches PATTERN cut to its text, "", or to the page without its anchor, ")".
function shorten(line, pattern, to,   link, result) {
  result = ""
  while (match(line, pattern)) {
    link = substr(line, RSTART, RLENGTH)
    if (to == "") { sub(/^\[/, "", link); sub(/\]\([^()]*\)$/, "", link) } else sub(/#[^#]*\)$/, ")", link)
    result = result substr(line, 1, RSTART - 1) link
    line = substr(line, RSTART + RLENGTH)
  }
  return result line
}

# The project's name, which is no link to the namespace.
function named(text) { sub(/Ata/, "\001", text); return text }

/^```/ { code = !code }

code { print; next }

{
  $0 = shorten($0, "\\[[^][]*\\]\\(#[^()]*\\)", "")
  $0 = shorten($0, "\\[[^][]*\\]\\([^():]+/README\\.md[^()]*\\)", "")
  $0 = shorten($0, "\\[[^][]*\\]\\([^():]*LICENSE\\)", "")
  $0 = shorten($0, "\\[[^][]*\\]\\([^():]+\\.(h|hpp|py|sh)\\)", "")
  $0 = shorten($0, "\\]\\([^()#: ]+\\.md#[^()]*\\)", ")")
  while (match($0, /(^|[ *])Ata([ ,;:'"]|\. |\.$|$)/)) $0 = substr($0, 1, RSTART - 1) named(substr($0, RSTART, RLENGTH)) substr($0, RSTART + RLENGTH)
  if ($0 !~ /^#/) gsub(/\001/, "%Ata"); else gsub(/\001/, "Ata")
  print
}
