#include "model/backbone_config.h"

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

std::string listed(const std::vector<std::string>& names) {
  std::vector<const char*> pointers;
  for (const std::string& name : names) pointers.push_back(name.c_str());
  return quoted_list(pointers.data(), pointers.size());
}

}  // namespace

Tensor BackboneConfig::resample(const std::string&, const Tensor& parameter, const ModelConfig&,
                                const ModelConfig&, Resampling) const {
  return parameter;
}

void register_architecture(Architecture architecture) {
  for (const Architecture& known : architectures()) {
    if (known.name == architecture.name) {
      fail(ATA_INTERNAL, "architecture '", known.name, "' is registered twice");
    }
  }
  architectures().push_back(std::move(architecture));
}

std::vector<std::string> architecture_names() {
  std::vector<std::string> names;
  for (const Architecture& known : architectures()) names.push_back(known.name);
  return names;
}

std::shared_ptr<BackboneConfig> new_backbone_config(const std::string& architecture) {
  for (const Architecture& known : architectures()) {
    if (known.name == architecture) return known.make();
  }
  fail(ATA_INVALID_ARGUMENT, "architecture is '", shown(architecture), "'; valid are ",
       listed(architecture_names()));
}

std::shared_ptr<BackboneConfig> named_backbone_config(const std::string& size) {
  std::vector<std::string> names;
  for (const Architecture& known : architectures()) {
    for (const auto& [name, make] : known.sizes) {
      if (name == size) return make();
      names.push_back(name);
    }
  }
  fail(ATA_INVALID_ARGUMENT, "architecture is '", shown(size), "'; valid are ", listed(names));
}

}  // namespace ata
