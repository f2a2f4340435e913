#ifndef ATA_API_DEVICES_H_
#define ATA_API_DEVICES_H_

#include "ata/ata.h"
#include "ops/devices.h"

namespace ata::api {

/// What is told of a device, wherever that is.
ata_device_info describe_device(const ListedDevice& listed);

}  // namespace ata::api

#endif  // ATA_API_DEVICES_H_
