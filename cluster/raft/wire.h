// The bytes of messages, of configurations and of what a state says of itself, on the wire and in the
// log.
//
//   message:       version (1 byte) | kind (1 byte) | shard, incarnation, from, to, term | body | later
//   configuration: version (1 byte) | count | count x (id, role) | later
//   snapshot:      version (1 byte) | index, term, index of the configuration | configuration | later
//
// Numbers are varints (node/rules/wire_bytes.h). `later` is a sized run of bytes for fields of a
// later version: skipped by one that does not know them. A higher version is for what cannot be
// skipped, and is refused.
//
// Decoding never trusts: what it gives back holds every condition that the engine asserts of a single
// message (terms that rise along the entries, no index that overflows, configurations that are whole).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cluster/raft/message.h"

namespace shoal::raft {

constexpr uint8_t kWireVersion = 1;
constexpr size_t kServersMax = 64;  // of a configuration

void encode(const Message& message, std::vector<uint8_t>& out);  // appends
std::optional<Message> decode(std::span<const uint8_t> bytes);

Payload encode(const Configuration& configuration);
std::optional<Configuration> decode_configuration(std::span<const uint8_t> bytes);

std::vector<uint8_t> encode(const SnapshotMeta& snapshot);
std::optional<SnapshotMeta> decode_snapshot(std::span<const uint8_t> bytes);

}  // namespace shoal::raft
