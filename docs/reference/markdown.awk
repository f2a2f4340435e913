# markdown.awk: what GitHub says otherwise than Doxygen. Its headings have other anchors, so that links lead to whole pages; what is no page
# of the reference (folders and their README.md, sources, LICENSE) is shown by its name; and Ata is no link to the namespace.

# LINE with its links turned.
function turn(line,   link, text, target, result) {
  result = ""
  while (match(line, /!?\[[^][]*\]\([^()]*\)/)) {
    link = text = target = substr(line, RSTART, RLENGTH)
    result = result substr(line, 1, RSTART - 1)
    line = substr(line, RSTART + RLENGTH)
    sub(/\]\([^()]*\)$/, "", text)
    sub(/^\[/, "", text)
    sub(/.*\]\(/, "", target)
    sub(/\)$/, "", target)
    if (link !~ /^!/ && target !~ /:/ && (target !~ /\.md(#.*)?$/ || target ~ /README\.md/)) link = text
    result = result link
  }
  return result line
}

/^```/ { code = !code }

code { print; next }

{
  line = turn($0)
  # Also of links whose text began on the line before.
  while (match(line, /\]\([^()#: ]+\.md#[^()]*\)/)) {
    page = substr(line, RSTART, RLENGTH)
    sub(/#.*/, ")", page)
    line = substr(line, 1, RSTART - 1) page substr(line, RSTART + RLENGTH)
  }
  name = line ~ /^#/ ? "Ata" : "%Ata"
  while (match(line, /(^|[ *])Ata([ ,;:'"]|\. |\.$|$)/)) {
    word = substr(line, RSTART, RLENGTH)
    sub(/Ata/, "\001", word)
    line = substr(line, 1, RSTART - 1) word substr(line, RSTART + RLENGTH)
  }
  gsub(/\001/, name, line)
  print line
}
