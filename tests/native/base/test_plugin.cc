// A plugin for plugin_loader_test: one good entry function and three bad ones.
#include "base/log.h"
#include "base/plugin_loader.h"

namespace {

const ata::PluginHeader good = {7, ata::build_version()};
const ata::PluginHeader old = {7, "0.0.0-old"};

}  // namespace

extern "C" {

ATA_EXPORT const ata::PluginHeader* good_entry(const ata::PluginHost* host) {
  ata::install_plugin_host(host);
  ata::log(ATA_LOG_INFO, "the test plugin speaks");
  return &good;
}

ATA_EXPORT const ata::PluginHeader* old_entry(const ata::PluginHost*) {
  return &old;
}

ATA_EXPORT const ata::PluginHeader* refusing_entry(const ata::PluginHost*) {
  return nullptr;
}
}
