#include "cluster/storage/log_format.h"

#include "node/rules/wire_bytes.h"

namespace shoal::storage {
namespace {

constexpr uint8_t kFormatVersion = 1;
constexpr size_t kGroupSize = 1 + 4 + 8;

void append_number(uint64_t value, std::string& out) {
  uint8_t buffer[kWireVarintSizeMax];
  const uint8_t* const end = put_varint(value, buffer);
  out.append(reinterpret_cast<const char*>(buffer), static_cast<size_t>(end - buffer));
}

WireSource source_of(std::string_view value) {
  return WireSource({reinterpret_cast<const uint8_t*>(value.data()), value.size()});
}

std::string rest_of(WireSource& source) {
  const std::span<const uint8_t> rest = source.bytes(source.left());
  return {reinterpret_cast<const char*>(rest.data()), rest.size()};
}

}  // namespace

void append_big_endian(uint64_t value, int bytes, std::string& out) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out += static_cast<char>(value >> shift);
  }
}

uint64_t read_big_endian(std::string_view from, size_t at, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) {
    value = value << 8 | static_cast<uint8_t>(from[at + static_cast<size_t>(i)]);
  }
  return value;
}

std::string group_key(char kind, LogGroup group) {
  std::string key(1, kind);
  append_big_endian(group.shard, 4, key);
  append_big_endian(group.incarnation, 8, key);
  return key;
}

std::string entry_key(LogGroup group, uint64_t index) {
  std::string key = group_key(kEntryKey, group);
  append_big_endian(index, 8, key);
  return key;
}

bool parse_group(std::string_view key, char kind, LogGroup& group) {
  if (key.size() < kGroupSize || key[0] != kind) return false;
  group.shard = static_cast<uint32_t>(read_big_endian(key, 1, 4));
  group.incarnation = read_big_endian(key, 5, 8);
  return true;
}

bool parse_entry_key(std::string_view key, LogGroup& group, uint64_t& index) {
  if (key.size() != kGroupSize + 8 || !parse_group(key, kEntryKey, group)) return false;
  index = read_big_endian(key, kGroupSize, 8);
  return true;
}

std::string entry_value(const LogEntry& entry) {
  std::string value;
  value += static_cast<char>(kFormatVersion);
  value += static_cast<char>(entry.kind);
  append_number(entry.term, value);
  value += entry.payload;
  return value;
}

bool parse_entry(std::string_view value, LogEntry& entry) {
  WireSource source = source_of(value);
  const bool known = source.fixed<uint8_t>() == kFormatVersion;
  entry.kind = source.fixed<uint8_t>();
  entry.term = source.varint();
  entry.payload = rest_of(source);
  return known && source.ok();
}

std::string state_value(const LogState& state) {
  std::string value;
  value += static_cast<char>(kFormatVersion);
  append_number(state.term, value);
  append_number(state.vote, value);
  value += state.snapshot;
  return value;
}

bool parse_state(std::string_view value, LogState& state) {
  WireSource source = source_of(value);
  const bool known = source.fixed<uint8_t>() == kFormatVersion;
  state.term = source.varint();
  state.vote = source.varint();
  state.snapshot = rest_of(source);
  return known && source.ok();
}

}  // namespace shoal::storage
