#ifndef ATA_TESTS_SUPPORT_ERRORS_H_
#define ATA_TESTS_SUPPORT_ERRORS_H_

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "support/mentions.h"

namespace ata {

/// The message of the ata::Error that `action` must throw, with this status.
template <typename Action>
std::string error_of(ata_status status, const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), status) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

/// Expects `action` to throw an ata::Error of this status whose message contains `part`.
template <typename Action>
void expect_error(ata_status status, const std::string& part, const Action& action) {
  EXPECT_MENTIONS(error_of(status, action), part);
}

/// The status of the ata::Error that `action` throws, or ATA_OK.
template <typename Action>
ata_status status_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.status();
  }
  return ATA_OK;
}

}  // namespace ata

#endif  // ATA_TESTS_SUPPORT_ERRORS_H_
