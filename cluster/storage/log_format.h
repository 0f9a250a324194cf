// Keys and values of the log store:
//   group := kind (1 byte), shard (4), incarnation (8); numbers are big-endian
//   group 'e', index (8)  ->  format version, entry kind, term, payload
//   group 's'             ->  format version, term, vote, snapshot
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cluster/storage/log_store.h"

namespace shoal::storage {

constexpr char kEntryKey = 'e';
constexpr char kStateKey = 's';

std::string group_key(char kind, LogGroup group);
std::string entry_key(LogGroup group, uint64_t index);
// False: it is no key of that kind.
bool parse_group(std::string_view key, char kind, LogGroup& group);
bool parse_entry_key(std::string_view key, LogGroup& group, uint64_t& index);

std::string entry_value(const LogEntry& entry);
bool parse_entry(std::string_view value, LogEntry& entry);
std::string state_value(const LogState& state);
bool parse_state(std::string_view value, LogState& state);

// Appends; reads at `at`.
void append_big_endian(uint64_t value, int bytes, std::string& out);
uint64_t read_big_endian(std::string_view from, size_t at, int bytes);

}  // namespace shoal::storage
