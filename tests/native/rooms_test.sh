#!/bin/sh
# Checks that the rooms of native/src include only what docs/architecture.md lets them: usage
# rooms_test.sh PROJECT. The table "Rooms" there names, for each room, the rooms that it depends on; it
# may use those and what they depend on. A room's row comes after those of its rooms, so that the
# table has no circle.
set -eu
cd "$1"

grep -rn '^ *# *include *"' native/src | awk -F'|' '
  function note(text) { print text; failed = 1 }
  # Rows: | `native/src/NAME` | what is in it | room, room |
  FNR == NR {
    if ($2 !~ /`native\/src\/[a-z]+`/) next
    room = $2
    gsub(/[^a-z\/]/, "", room)
    sub(/^native\/src\//, "", room)
    rooms[room] = 1
    allowed[room, room] = 1
    count = split($4, names, /[ ,]+/)
    for (i = 1; i <= count; ++i) {
      other = names[i]
      if (other == "all") {
        for (known in rooms) allowed[room, known] = 1
        continue
      }
      # Libraries have names that are no room.
      if (!(other in rooms)) continue
      for (known in rooms) if ((other, known) in allowed) allowed[room, known] = 1
    }
    # A room that is named before its own row would be taken for a library.
    for (i = 1; i <= count; ++i) if (names[i] ~ /^[a-z]+$/) named[room] = named[room] " " names[i]
    next
  }
  FNR == 1 {
    if (length(rooms) < 9) note("docs/architecture.md: found only " length(rooms) " rooms in its table")
    for (room in named) {
      count = split(named[room], names, " ")
      for (i = 1; i <= count; ++i) {
        if (names[i] in rooms && !((room, names[i]) in allowed)) {
          note("docs/architecture.md: " room " depends on " names[i] ", whose row comes after it")
        }
      }
    }
  }
  {
    split($0, parts, ":")
    file = parts[1]
    from = file
    sub(/^native\/src\//, "", from)
    sub(/\/.*/, "", from)
    included = $0
    sub(/^[^"]*"/, "", included)
    sub(/".*/, "", included)
    to = included
    if (sub(/\/.*/, "", to) == 0 || to == "ata" || to == "hwy") next
    ++includes
    if (!(from in rooms)) note(file ": the room " from " is not in docs/architecture.md")
    else if (!(to in rooms)) note(file ":" parts[2] ": " included " is of no room")
    else if (!((from, to) in allowed)) note(file ":" parts[2] ": " from " may not include " included)
  }
  END {
    if (includes < 100) note("native/src: found only " includes + 0 " includes")
    if (!failed) print includes " includes between " length(rooms) " rooms, none that is not allowed"
    exit failed
  }
' docs/architecture.md -
