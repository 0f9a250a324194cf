// The acceptances of one turn, collected until it ends: numbers that follow each other become one
// range.
#pragma once

#include <utility>
#include <vector>

#include "shoal/peers.h"
#include "shoal/types.h"

namespace shoal {

class AcceptanceBook {
 public:
  struct Page {
    Place origin;
    std::vector<AcceptedRange> ranges;
  };

  void add(Place origin, uint64_t number, Acceptance acceptance) {
    std::vector<AcceptedRange>& ranges = page_of(origin).ranges;
    if (!ranges.empty() && ranges.back().last + 1 == number &&
        ranges.back().acceptance == acceptance) {
      ranges.back().last = number;
    } else {
      ranges.push_back({number, number, acceptance});
    }
  }
  // The node is gone, and a later one in its slot counts anew.
  void forget(NodeSlot node) {
    std::erase_if(pages_, [node](const Page& page) { return page.origin.node == node; });
  }
  std::vector<Page> take() { return std::exchange(pages_, {}); }
  bool empty() const { return pages_.empty(); }

 private:
  std::vector<AcceptedRange>& ranges_of(Place origin) { return page_of(origin).ranges; }
  // Few origins answer in one turn.
  Page& page_of(Place origin) {
    for (Page& page : pages_) {
      if (page.origin == origin) return page;
    }
    return pages_.emplace_back(Page{origin, {}});
  }

  std::vector<Page> pages_;
};

}  // namespace shoal
