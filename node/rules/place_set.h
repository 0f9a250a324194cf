// The other places that want a filter. Nearly every filter is wanted by none, one or two: they fit
// in the one word that this takes. More are a list outside.
#pragma once

#include <cstdint>
#include <vector>

#include "shoal/types.h"

namespace shoal {

class PlaceSet {
 public:
  struct NodeWorkers {
    NodeSlot node = kSelf;
    uint64_t worker_mask = 0;
  };

  PlaceSet() = default;
  PlaceSet(PlaceSet&& other) noexcept : word_(other.word_) { other.word_ = 0; }
  PlaceSet& operator=(PlaceSet&& other) noexcept;
  ~PlaceSet() { clear(); }

  bool empty() const { return word_ == 0; }
  bool contains(Place place) const;
  // Each: whether it changed anything.
  bool add(Place place);
  bool remove(Place place);
  bool remove_node(NodeSlot node);

  // visit(NodeSlot, uint64_t worker_mask); a node may come twice.
  template <class Visit>
  void for_each(Visit&& visit) const {
    if (is_list()) {
      for (const NodeWorkers& each : *list()) visit(each.node, each.worker_mask);
      return;
    }
    for (uint64_t rest = word_; rest != 0; rest >>= kPlaceBits) {
      const Place place = unpack(rest);
      visit(place.node, uint64_t{1} << place.worker);
    }
  }

 private:
  using List = std::vector<NodeWorkers>;

  // A place in 31 bits, the lowest of them set; the first of a word is the lower. An address has
  // that bit clear.
  static constexpr int kPlaceBits = 31;
  static constexpr uint64_t kPlaceMask = (uint64_t{1} << kPlaceBits) - 1;
  static constexpr uint64_t kSecondMask = kPlaceMask << kPlaceBits;
  static uint64_t pack(Place place) {
    return uint64_t{place.node} << 9 | uint64_t{place.worker} << 1 | 1;
  }
  static Place unpack(uint64_t bits) {
    return {static_cast<NodeSlot>(bits >> 9), static_cast<WorkerIndex>(bits >> 1)};
  }

  bool is_list() const { return word_ != 0 && (word_ & 1) == 0; }
  List* list() const { return reinterpret_cast<List*>(word_); }
  void make_list();
  void drop_if_empty();
  void clear();
  template <class Goes>
  bool remove_inline(Goes goes);

  uint64_t word_ = 0;
};

}  // namespace shoal
