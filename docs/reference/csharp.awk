# csharp.awk: says what today's C# declares in the C# that Doxygen knows. Lines keep their numbers.
#   namespace X;                        namespace X { ... }
#   record, record struct               class, struct
#   record X(int A), documented by      public int A { get; }, documented by that param
#     <param name="A">
#   class X(int a) : Base(a)            its constructor, documented by the params
#   <content> of a partial class        <remarks>
#   (A a, B b) F()                      ValueTuple< A, B > F()
#   X() : base(a) => f();               X() ;
#   \n in a comment                     \\n

# The text between <param name="NAME"> and </param> of the comment above.
function param_text(name,   text, at) {
  at = index(comment, "<param name=\"" name "\">")
  if (at == 0) return ""
  text = substr(comment, at + length("<param name=\"" name "\">"))
  return substr(text, 1, index(text, "</param>") - 1)
}

# Depth of parentheses after TEXT.
function depth_after(text,   open, close_) {
  open = gsub(/\(/, "(", text)
  close_ = gsub(/\)/, ")", text)
  return open - close_
}

# Cuts "int A, List<(int, int)> B = null" at its commas into parameters[1..n].
function split_parameters(text,   i, c, depth, n, current) {
  n = 0; depth = 0; current = ""
  for (i = 1; i <= length(text); ++i) {
    c = substr(text, i, 1)
    if (c ~ /[(<[]/) ++depth
    if (c ~ /[)>\]]/) --depth
    if (c == "," && depth == 0) { parameters[++n] = current; current = "" } else current = current c
  }
  if (current ~ /[^ ]/) parameters[++n] = current
  return n
}

# What a declaration with parameters of its own declares: `members` to be written into its body.
function declare(text, is_record,   head, inside, rest, i, depth, n, name, type, docs) {
  head = substr(text, 1, index(text, "(") - 1)
  depth = 0
  for (i = length(head) + 1; i <= length(text); ++i) {
    if (substr(text, i, 1) == "(") ++depth
    if (substr(text, i, 1) == ")" && --depth == 0) break
  }
  inside = substr(text, length(head) + 2, i - length(head) - 2)
  rest = substr(text, i + 1)
  sub(/\(.*\)/, "", rest) # What the base class's constructor is given.
  members = ""
  docs = ""
  n = split_parameters(inside)
  for (i = 1; i <= n; ++i) {
    type = parameters[i]
    gsub(/\[[^\]]*\]/, "", type)
    sub(/ *=.*/, "", type)
    sub(/^ +/, "", type)
    name = type
    sub(/.* /, "", name)
    sub(/ [^ ]*$/, "", type)
    if (is_record) members = members " /** <summary>" param_text(name) "</summary> */ public " type " " name " { get; }"
    else docs = docs "<param name=\"" name "\">" param_text(name) "</param> "
  }
  if (!is_record) {
    name = head
    sub(/.* /, "", name)
    members = " /** <summary>Creates it.</summary> " docs "*/ public " name "(" inside ");"
  }
  return head rest
}

function flush_comment(without_params,   i, line, inside) {
  for (i = 1; i <= lines; ++i) {
    line = held[i]
    if (without_params) {
      if (line ~ /<param name/) inside = 1
      if (inside) { if (line ~ /<\/param>/) inside = 0; line = "" }
    }
    print line
  }
  lines = 0
  comment = ""
}

{
  sub(/\r$/, "")
  gsub(/<content>/, "<remarks>")
  gsub(/<\/content>/, "</remarks>")
}

/^ *\/\/\// || /^ *\[/ {
  gsub(/\\/, "&&") # In XML a backslash is no command.
  held[++lines] = $0
  text = $0
  sub(/^ *\/\/\/ ?/, " ", text)
  comment = comment text
  next
}

/^namespace .*;$/ { sub(/;$/, " {"); namespaces = 1 }

/^ *(public|internal|private) .*(class|struct|record) [A-Za-z<>]+\(/ {
  is_record = $0 ~ / record /
  added = 0
  declaration = $0
  while (depth_after(declaration) > 0 && (getline line) > 0) {
    sub(/\r$/, "", line)
    sub(/^ +/, " ", line)
    declaration = declaration line
    ++added
  }
  sub(/ record struct /, " struct ", declaration)
  sub(/ record /, " class ", declaration)
  declaration = declare(declaration, is_record)
  flush_comment(1)
  if (sub(/;$/, "", declaration)) { declaration = declaration " {" members " }"; members = "" }
  print declaration
  while (added-- > 0) print ""
  next
}

/^ *: (base|this)\(.*=>.*;$/ { $0 = ";" }

/^ *public / && match($0, / \([A-Za-z][^()]*, [^()]*\) [A-Z][A-Za-z]*\(/) {
  start = RSTART
  tuple = substr($0, start + 2)
  rest = tuple
  sub(/\).*/, "", tuple)
  sub(/^[^)]*\)/, "", rest)
  count = split_parameters(tuple)
  types = ""
  for (k = 1; k <= count; ++k) { sub(/^ +/, "", parameters[k]); sub(/ [^ ]*$/, "", parameters[k]); types = types (k > 1 ? ", " : "") parameters[k] }
  $0 = substr($0, 1, start) "ValueTuple< " types " >" rest
}

members != "" && /^ *\{/ { $0 = $0 members; members = "" }

{
  flush_comment(0)
  if ($0 !~ /^ *\/\//) { sub(/ record struct /, " struct "); sub(/^( *public| *internal)( .*)? record /, "&class "); sub(/ record class /, " class ") }
  print
}

END { flush_comment(0); if (namespaces) print "}" }
