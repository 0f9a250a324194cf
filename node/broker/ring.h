// A queue in one growing array. Empty and never used, it owns nothing; std::deque would own half a
// KiB a session. Addresses change when it grows.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "shoal/assert.h"

namespace shoal {

template <class T>
class Ring {
 public:
  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  Ring(Ring&& other) noexcept { swap(other); }
  Ring& operator=(Ring&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Ring() {
    clear();
    ::operator delete(items_);
  }

  bool empty() const { return size_ == 0; }
  uint32_t size() const { return size_; }
  T& operator[](uint32_t i) { return items_[(head_ + i) & (capacity_ - 1)]; }
  const T& operator[](uint32_t i) const { return items_[(head_ + i) & (capacity_ - 1)]; }
  T& front() { return (*this)[0]; }
  T& back() { return (*this)[size_ - 1]; }

  T& push_back(T item) {
    if (size_ == capacity_) grow();
    T* const at = new (&items_[(head_ + size_) & (capacity_ - 1)]) T(std::move(item));
    ++size_;
    return *at;
  }
  T pop_front() {
    SHOAL_ASSERT(size_ > 0);
    T& first = items_[head_];
    T item = std::move(first);
    first.~T();
    head_ = (head_ + 1) & (capacity_ - 1);
    --size_;
    return item;
  }
  void clear() {
    while (size_ > 0) pop_front();
  }
  // Gives the array back when nothing is in it: for sessions that fell idle.
  void release_if_empty() {
    if (size_ != 0) return;
    ::operator delete(items_);
    items_ = nullptr;
    capacity_ = head_ = 0;
  }
  size_t capacity_bytes() const { return capacity_ * sizeof(T); }

 private:
  void swap(Ring& other) noexcept {
    std::swap(items_, other.items_);
    std::swap(capacity_, other.capacity_);
    std::swap(head_, other.head_);
    std::swap(size_, other.size_);
  }
  void grow() {
    const uint32_t capacity = capacity_ == 0 ? 2 : capacity_ * 2;
    T* const items = static_cast<T*>(::operator new(capacity * sizeof(T)));
    for (uint32_t i = 0; i < size_; ++i) {
      T& from = (*this)[i];
      new (&items[i]) T(std::move(from));
      from.~T();
    }
    ::operator delete(items_);
    items_ = items;
    capacity_ = capacity;
    head_ = 0;
  }

  T* items_ = nullptr;
  uint32_t capacity_ = 0;  // a power of two
  uint32_t head_ = 0;
  uint32_t size_ = 0;
};

}  // namespace shoal
