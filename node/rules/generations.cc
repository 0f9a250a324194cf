#include "node/rules/generations.h"

#include "node/rules/topic.h"
#include "node/rules/topic_hash.h"

namespace shoal {

uint32_t Generations::cell_of(std::string_view text, int levels_max, int& levels) const {
  uint64_t path = seed_;
  levels = 0;
  for (TopicLevels each(text); !each.done() && levels < levels_max; each.advance(), ++levels) {
    if (each.level() == "+" || each.level() == "#") break;
    path = longer_path(path, text_hash(each.level(), seed_));
  }
  return static_cast<uint32_t>(path % kCells);
}

uint32_t Generations::cells_of(std::string_view topic) const {
  int levels;
  const uint32_t one = cell_of(topic, 1, levels);
  return cell_of(topic, 2, levels) << 16 | one;
}

void Generations::raise(std::string_view wildcard_filter) {
  int levels;
  const uint32_t cell = cell_of(wildcard_filter, 2, levels);
  ++(levels == 0 ? all_ : cells_[cell]);
}

}  // namespace shoal
