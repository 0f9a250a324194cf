#include "node/rules/place_set.h"

#include <algorithm>
#include <utility>

namespace shoal {

PlaceSet& PlaceSet::operator=(PlaceSet&& other) noexcept {
  std::swap(word_, other.word_);
  return *this;
}

void PlaceSet::clear() {
  if (is_list()) delete list();
  word_ = 0;
}

bool PlaceSet::contains(Place place) const {
  bool found = false;
  for_each([&](NodeSlot node, uint64_t worker_mask) {
    found |= node == place.node && (worker_mask >> place.worker & 1) != 0;
  });
  return found;
}

void PlaceSet::make_list() {
  List* const made = new List;
  for_each([made](NodeSlot node, uint64_t worker_mask) {
    if (!made->empty() && made->front().node == node) {
      made->front().worker_mask |= worker_mask;
    } else {
      made->push_back({node, worker_mask});
    }
  });
  word_ = reinterpret_cast<uintptr_t>(made);
}

bool PlaceSet::add(Place place) {
  if (contains(place)) return false;
  if (word_ == 0) {
    word_ = pack(place);
    return true;
  }
  if (!is_list() && (word_ & kSecondMask) == 0) {
    word_ |= pack(place) << kPlaceBits;
    return true;
  }
  if (!is_list()) make_list();
  const auto of_node = [place](const NodeWorkers& each) { return each.node == place.node; };
  const auto it = std::find_if(list()->begin(), list()->end(), of_node);
  NodeWorkers& entry = it != list()->end() ? *it : list()->emplace_back(NodeWorkers{place.node, 0});
  entry.worker_mask |= uint64_t{1} << place.worker;
  return true;
}

template <class Goes>
bool PlaceSet::remove_inline(Goes goes) {
  uint64_t kept = 0;
  for (uint64_t rest = word_; rest != 0; rest >>= kPlaceBits) {
    if (goes(unpack(rest))) continue;
    kept = kept == 0 ? rest & kPlaceMask : kept | (rest & kPlaceMask) << kPlaceBits;
  }
  return std::exchange(word_, kept) != kept;
}

bool PlaceSet::remove(Place place) {
  if (!is_list()) return remove_inline([place](Place each) { return each == place; });
  bool removed = false;
  for (NodeWorkers& each : *list()) {
    if (each.node != place.node) continue;
    removed = (each.worker_mask >> place.worker & 1) != 0;
    each.worker_mask &= ~(uint64_t{1} << place.worker);
  }
  drop_if_empty();
  return removed;
}

bool PlaceSet::remove_node(NodeSlot node) {
  if (!is_list()) return remove_inline([node](Place each) { return each.node == node; });
  bool removed = false;
  for (NodeWorkers& each : *list()) {
    if (each.node == node) removed = std::exchange(each.worker_mask, 0) != 0;
  }
  drop_if_empty();
  return removed;
}

void PlaceSet::drop_if_empty() {
  std::erase_if(*list(), [](const NodeWorkers& each) { return each.worker_mask == 0; });
  if (list()->empty()) clear();
}

}  // namespace shoal
