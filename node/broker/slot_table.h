// Objects in pages, named by slot and generation: an address never moves, a name never means a later
// object. Freed slots are used again, the last freed first.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "shoal/assert.h"

namespace shoal {

template <class T>
class SlotTable {
 public:
  static constexpr uint32_t kPage = 64;  // objects

  SlotTable() = default;
  SlotTable(const SlotTable&) = delete;
  SlotTable& operator=(const SlotTable&) = delete;
  ~SlotTable() {
    for_each([](T& object) { object.~T(); });
  }

  struct Created {
    T* object;
    uint32_t slot;
    uint32_t generation;
  };
  Created create() {
    if (free_ == kNone) add_page();
    const uint32_t slot = free_;
    Cell& cell = cell_of(slot);
    free_ = cell.next_free;
    cell.next_free = kUsed;
    ++size_;
    return {new (cell.bytes) T, slot, cell.generation};
  }
  void destroy(uint32_t slot) {
    Cell& cell = cell_of(slot);
    SHOAL_ASSERT(cell.next_free == kUsed);
    reinterpret_cast<T*>(cell.bytes)->~T();
    ++cell.generation;
    cell.next_free = free_;
    free_ = slot;
    --size_;
  }
  // Null when the name is void.
  T* find(uint32_t slot, uint32_t generation) {
    if (slot >= pages_.size() * kPage) return nullptr;
    Cell& cell = cell_of(slot);
    if (cell.next_free != kUsed || cell.generation != generation) return nullptr;
    return reinterpret_cast<T*>(cell.bytes);
  }
  // `slot` is in use.
  T& operator[](uint32_t slot) {
    Cell& cell = cell_of(slot);
    SHOAL_ASSERT(cell.next_free == kUsed);
    return *reinterpret_cast<T*>(cell.bytes);
  }
  uint32_t size() const { return size_; }

  // `visit` may destroy the object that it is given, and no other.
  template <class Visit>
  void for_each(Visit visit) {
    for (auto& page : pages_) {
      for (uint32_t i = 0; i < kPage; ++i) {
        if (page[i].next_free == kUsed) visit(*reinterpret_cast<T*>(page[i].bytes));
      }
    }
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint32_t kUsed = UINT32_MAX - 1;
  struct Cell {
    alignas(T) unsigned char bytes[sizeof(T)];
    uint32_t generation = 0;
    uint32_t next_free = kNone;
  };

  Cell& cell_of(uint32_t slot) { return pages_[slot / kPage][slot % kPage]; }
  void add_page() {
    const uint32_t first = static_cast<uint32_t>(pages_.size()) * kPage;
    pages_.push_back(std::make_unique<Cell[]>(kPage));
    for (uint32_t i = kPage; i-- > 0;) {
      pages_.back()[i].next_free = free_;
      free_ = first + i;
    }
  }

  std::vector<std::unique_ptr<Cell[]>> pages_;
  uint32_t free_ = kNone;
  uint32_t size_ = 0;
};

}  // namespace shoal
