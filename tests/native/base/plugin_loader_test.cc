#include "base/plugin_loader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/log.h"

namespace ata {
namespace {

TEST(PluginLoader, LoadsFromBesideTheProgramAndForwardsTheLog) {
  std::vector<std::string> lines;
  set_log_sink([](ata_log_level, const char* message,
                  void* data) { static_cast<std::vector<std::string>*>(data)->push_back(message); },
               &lines, ATA_LOG_INFO);
  const PluginLoad load = load_plugin("ata_test_plugin", "good_entry", 7);
  set_log_sink(nullptr, nullptr, ATA_LOG_OFF);
  ASSERT_NE(load.table, nullptr) << load.reason();
  EXPECT_EQ(load.table->api_version, 7u);
  EXPECT_NE(load.path.find(plugin_file_name("ata_test_plugin")), std::string::npos);
  EXPECT_TRUE(load.reason().empty());
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0], "the test plugin speaks");
}

TEST(PluginLoader, RefusesAnotherVersionOrInterface) {
  const PluginLoad old = load_plugin("ata_test_plugin", "old_entry", 7);
  EXPECT_EQ(old.table, nullptr);
  EXPECT_NE(old.reason().find("0.0.0-old"), std::string::npos) << old.reason();
  EXPECT_NE(old.reason().find(build_version()), std::string::npos) << old.reason();
  const PluginLoad other = load_plugin("ata_test_plugin", "good_entry", 8);
  EXPECT_EQ(other.table, nullptr);
  EXPECT_NE(other.reason().find("interface 7"), std::string::npos) << other.reason();
}

TEST(PluginLoader, NamesWhatIsMissing) {
  const PluginLoad absent = load_plugin("ata_no_such_plugin", "good_entry", 7);
  EXPECT_EQ(absent.table, nullptr);
  ASSERT_EQ(absent.attempts.size(), 2u);
  EXPECT_NE(absent.reason().find("ata_no_such_plugin"), std::string::npos) << absent.reason();
  const PluginLoad no_entry = load_plugin("ata_test_plugin", "no_such_entry", 7);
  EXPECT_NE(no_entry.reason().find("no_such_entry"), std::string::npos) << no_entry.reason();
  const PluginLoad refusing = load_plugin("ata_test_plugin", "refusing_entry", 7);
  EXPECT_NE(refusing.reason().find("refused"), std::string::npos) << refusing.reason();
}

#if !defined(_WIN32)  // Windows does not tell which library a library lacks.
TEST(PluginLoader, NamesTheLibraryThatAPluginLacks) {
  const PluginLoad needy = load_plugin("ata_needy_plugin", "good_entry", 7);
  EXPECT_EQ(needy.table, nullptr);
  EXPECT_NE(needy.reason().find("ata_lost_library"), std::string::npos) << needy.reason();
}
#endif

}  // namespace
}  // namespace ata
