#include "node/broker/unread.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "node/broker/byte_budget.h"

namespace shoal {

bool Unread::append(std::span<const uint8_t> bytes, size_t whole, ByteBudget& budget) {
  if (bytes.empty()) return true;
  if (size_ + bytes.size() > capacity_) {
    const size_t needed = size_ + bytes.size();
    const size_t capacity = std::max(needed, std::min(whole, capacity_ * 2));
    if (!budget.take(capacity - capacity_)) return false;
    auto* const data = static_cast<uint8_t*>(std::realloc(data_, capacity));
    if (!data) throw std::bad_alloc();
    data_ = data;
    capacity_ = capacity;
    budget_ = &budget;
  }
  std::memcpy(data_ + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
  return true;
}

void Unread::drop_front(size_t bytes) {
  begin_ += bytes;
  if (begin_ == size_) clear();
}

void Unread::clear() {
  if (!data_) return;
  std::free(data_);
  budget_->give_back(capacity_);
  data_ = nullptr;
  size_ = begin_ = capacity_ = 0;
}

SharedBytes Unread::release() {
  if (!data_) return nullptr;
  budget_->give_back(capacity_);
  SharedBytes owner(data_, [](const uint8_t* data) { std::free(const_cast<uint8_t*>(data)); });
  data_ = nullptr;
  size_ = begin_ = capacity_ = 0;
  return owner;
}

}  // namespace shoal
