#include "model/backbone_config.h"

#include <cstring>

#include "base/error.h"
#include "base/text.h"
#include "model/backbones/vit_config.h"
#include "model/config_fields.h"

namespace ata {
namespace {

std::vector<Architecture>& architectures() {
  static std::vector<Architecture> known = {vit_architecture()};
  return known;
}

}  // namespace

Tensor BackboneConfig::resample(const std::string&, const Tensor& parameter, const ModelConfig&,
                                const ModelConfig&, Resampling) const {
  return parameter;
}

void register_architecture(Architecture architecture) {
  for (const Architecture& known : architectures()) {
    if (std::strcmp(known.name, architecture.name) == 0) {
      fail(ATA_INTERNAL, "architecture '", known.name, "' is registered twice");
    }
  }
  architectures().push_back(std::move(architecture));
}

std::vector<const char*> architecture_names() {
  std::vector<const char*> names;
  for (const Architecture& known : architectures()) names.push_back(known.name);
  return names;
}

std::shared_ptr<BackboneConfig> new_backbone_config(const std::string& architecture) {
  for (const Architecture& known : architectures()) {
    if (architecture == known.name) return known.make();
  }
  fail(ATA_INVALID_ARGUMENT, "architecture is '", shown(architecture), "'; valid are ",
       quoted_list(architecture_names()));
}

std::shared_ptr<BackboneConfig> named_backbone_config(const std::string& size) {
  std::vector<const char*> names;
  for (const Architecture& known : architectures()) {
    for (const auto& [name, make] : known.sizes) {
      if (name == size) return make();
      names.push_back(name);
    }
  }
  fail(ATA_INVALID_ARGUMENT, "architecture is '", shown(size), "'; valid are ", quoted_list(names));
}

}  // namespace ata
