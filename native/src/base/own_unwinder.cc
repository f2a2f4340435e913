// Linked into each library that has an unwinder of its own (-static-libgcc). An exception that a
// plugin throws passes through the frames of libata, whose cleanups and handlers then ask their own
// library's unwinder, and it aborts unless it has worked before: libgcc fills its table of
// registers' sizes with the first throw (unwind-dw2.c, init_dwarf_reg_size_table). So each library
// throws once as it is loaded.
namespace {

[[maybe_unused]] const bool ready = [] {
  try {
    throw 0;
  } catch (int) {
    return true;
  }
}();

}  // namespace
