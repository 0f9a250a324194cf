// Objects of one kind by small numbers. They never move, and memory grows by chunks: no doubling
// that copies a million of them and leaves half of what it took unused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace shoal {

constexpr uint32_t kNoIndex = UINT32_MAX;

// A released object stays as it was made by `T()` until it is used again.
template <class T>
class Slab {
 public:
  T& operator[](uint32_t index) { return chunks_[index / kChunk]->items[index % kChunk]; }
  const T& operator[](uint32_t index) const {
    return chunks_[index / kChunk]->items[index % kChunk];
  }

  uint32_t allocate() {
    ++used_;
    if (!free_.empty()) {
      const uint32_t index = free_.back();
      free_.pop_back();
      return index;
    }
    if (end_ % kChunk == 0) chunks_.push_back(std::make_unique<Chunk>());
    return end_++;
  }
  void release(uint32_t index) {
    (*this)[index] = T();
    free_.push_back(index);
    --used_;
  }

  // Above every index that was ever given out.
  uint32_t end() const { return end_; }
  size_t used() const { return used_; }

 private:
  static constexpr uint32_t kChunk = 256;

  // No bare array: new[] would put a count before it, and so much more than eight bytes is wasted where
  // the allocator's next size is an eighth larger.
  struct Chunk {
    T items[kChunk];
  };

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<uint32_t> free_;
  uint32_t end_ = 0;
  size_t used_ = 0;
};

}  // namespace shoal
