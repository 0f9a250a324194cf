// What goes between nodes or lies on disks, as one version of this program wrote it.
//
// A Kind is one sort of these: it makes a sample, in which no field is at its default, and reads one
// into words. recorded_test.cc keeps the samples of earlier versions in a folder each and reads them with
// what the code has become.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shoal::recorded {

using Frames = std::vector<std::string>;  // one after the other; of most kinds there is one

struct Reading {
  std::string says;  // every field, so that another number, order or type of one shows
  Frames again;      // written anew from what was read
};

struct Kind {
  std::string name;
  std::function<Frames()> make;
  std::function<std::optional<Reading>(const Frames&)> read;  // none: it cannot be read
};

// As words: what is not printable, and quotes, by their code.
std::string shown(std::string_view bytes);
std::string hex_of(std::string_view bytes);
std::string bytes_of_hex(std::string_view hex);

void add_frames(
    std::vector<Kind>& kinds);  // messages of hub.proto and store.proto, in their frames
void add_parcels(std::vector<Kind>& kinds);  // of the forward and bulk lanes
void add_raft(std::vector<Kind>& kinds);
void add_shard(std::vector<Kind>& kinds);  // log entries and the values of the state store

inline std::vector<Kind> all_kinds() {
  std::vector<Kind> kinds;
  add_frames(kinds);
  add_parcels(kinds);
  add_raft(kinds);
  add_shard(kinds);
  return kinds;
}

}  // namespace shoal::recorded
