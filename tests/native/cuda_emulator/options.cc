#include "options.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string_view>

namespace emu {
namespace {

constexpr const char* kVariable = "ATA_CUDA_EMULATOR";

struct Failure {
  int calls_until;
  bool always;
  int error;
};
std::map<std::string, Failure, std::less<>>& failures() {
  static auto& map = *new std::map<std::string, Failure, std::less<>>;
  return map;
}

std::map<std::string, int64_t, std::less<>>& calls() {
  static auto& map = *new std::map<std::string, int64_t, std::less<>>;
  return map;
}

// A misspelt option would test something else than was meant.
[[noreturn]] void refuse(std::string_view item) {
  std::fprintf(
      stderr,
      "%s: '%.*s' is not an option of the emulated GPU; they are order=ascending|descending|"
      "random, seed=N, preempt=P, deferred=0|1, idle=0|1, devices=N, driver=N, architecture=N, "
      "memory=BYTES, quarantine=BYTES, counts=FILE and fail=CALL:N[:ERROR]\n",
      kVariable, static_cast<int>(item.size()), item.data());
  std::_Exit(2);
}

template <class T>
T number(std::string_view text, std::string_view item, T least, T most) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    refuse(item);
  }
  return value;
}

void plan_failure(std::string_view text, std::string_view item) {
  const size_t first = text.find(':');
  if (first == 0 || first == std::string_view::npos) refuse(item);
  const std::string function(text.substr(0, first));
  std::string_view count = text.substr(first + 1);
  int error = 0;
  if (const size_t second = count.find(':'); second != std::string_view::npos) {
    error = number(count.substr(second + 1), item, 1, 100000);
    count = count.substr(0, second);
  }
  fail_nth(function.c_str(), number(count, item, 0, 1 << 30), error);
}

void set_option(Options& options, std::string_view item) {
  const size_t equals = item.find('=');
  if (equals == std::string_view::npos) refuse(item);
  const std::string_view name = item.substr(0, equals), value = item.substr(equals + 1);
  if (name == "order") {
    if (value == "ascending") {
      options.order = Order::kAscending;
    } else if (value == "descending") {
      options.order = Order::kDescending;
    } else if (value == "random") {
      options.order = Order::kRandom;
    } else {
      refuse(item);
    }
  } else if (name == "seed") {
    options.seed = number<uint64_t>(value, item, 0, UINT64_MAX);
  } else if (name == "preempt") {
    options.preempt = number(value, item, 0.0, 1.0);
  } else if (name == "deferred") {
    options.deferred = number(value, item, 0, 1) != 0;
  } else if (name == "idle") {
    options.idle = number(value, item, 0, 1) != 0;
  } else if (name == "devices") {
    options.devices = number(value, item, 0, 8);
  } else if (name == "driver") {
    options.driver = number(value, item, 0, 99999);
  } else if (name == "architecture") {
    options.architecture = number(value, item, 10, 999);
  } else if (name == "memory") {
    options.memory = number<size_t>(value, item, 0, SIZE_MAX);
  } else if (name == "quarantine") {
    options.quarantine = number<size_t>(value, item, 0, SIZE_MAX);
  } else if (name == "counts") {
    options.counts = value;
  } else if (name == "fail") {
    plan_failure(value, item);
  } else {
    refuse(item);
  }
}

bool is_checked = false;

}  // namespace

Options& options() {
  static Options& options = []() -> Options& {
    auto* const made = new Options;
    if (const char* const text = std::getenv(kVariable)) set_options(*made, text);
    return *made;
  }();
  return options;
}

void set_options(Options& options, const char* text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    set_option(options, rest.substr(0, comma));
    rest = comma == std::string_view::npos ? "" : rest.substr(comma + 1);
  }
}

bool checked() {
  return is_checked;
}

void set_checked() {
  is_checked = true;
}

int injected_failure(const char* function, int usual_error) {
  options();  // may plan failures
  const std::string_view name = function;
  const auto counted = calls().find(name);
  ++(counted != calls().end() ? counted : calls().try_emplace(function, 0).first)->second;
  const auto found = failures().find(name);
  if (found == failures().end()) return 0;
  Failure& failure = found->second;
  if (!failure.always && --failure.calls_until > 0) return 0;
  const int error = failure.error != 0 ? failure.error : usual_error;
  if (!failure.always) failures().erase(found);
  return error;
}

void fail_nth(const char* function, int n, int error) {
  failures()[function] = {n, n == 0, error};
}

void fail_none() {
  failures().clear();
}

int64_t calls_of(const char* function) {
  const auto found = calls().find(std::string_view(function));
  return found != calls().end() ? found->second : 0;
}

}  // namespace emu
