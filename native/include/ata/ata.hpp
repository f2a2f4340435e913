/**
 * @file ata.hpp
 * The C++ API of Ata: header-only, move-only owners over ata.h, so that its binary interface is
 * that of ata.h and neither the compiler nor the standard library need match the one that built
 * libata. Needs C++20.
 *
 *  - Every failure throws ata::Error, which carries the ::ata_status and the library's message.
 *  - Options are the structs of ata.h; ata::defaults() fills them in.
 *  - Strings and paths are UTF-8.
 *  - Spans are views: what they show must outlive the call, or the object where the text says so.
 *  - Threads: as ata.h says of the type wrapped. A moved-from object may only be assigned to or
 *    destroyed.
 *
 * The names live in an inline namespace so that they are symbols of their own beside those inside
 * the library, whatever the linker does; write `ata::Model`.
 */
#ifndef ATA_ATA_HPP_
#define ATA_ATA_HPP_

#include <ata/alignment.hpp>
#include <ata/file.hpp>
#include <ata/library.hpp>
#include <ata/model.hpp>
#include <ata/temporal_block.hpp>
#include <ata/tensor.hpp>
#include <ata/training.hpp>
#include <ata/video.hpp>

#endif  // ATA_ATA_HPP_
