#include "node/broker/unread.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "node/broker/byte_budget.h"

namespace shoal {

namespace {

constexpr size_t kPageBytes = 4096;
// From here on a packet gets room for sixteen times of what came of it: to copy a hundred megabytes
// from one room to a larger one would hold up all other clients of the worker. What is not written to
// is no memory, only addresses.
constexpr size_t kLarge = 1024 * 1024;
constexpr size_t kGrowthOfLarge = 16;

}  // namespace

bool Unread::append(std::span<const uint8_t> bytes, size_t whole, ByteBudget& budget) {
  if (bytes.empty()) return true;
  const size_t needed = size_ + bytes.size();
  const size_t growth = whole >= kLarge ? kGrowthOfLarge : 2;
  const size_t capacity =
      needed <= capacity_ ? capacity_ : std::max(needed, std::min(whole, capacity_ * growth));
  const size_t counted = std::min(capacity, (needed + kPageBytes - 1) / kPageBytes * kPageBytes);
  if (counted > counted_ && !budget.take(counted - counted_)) return false;
  counted_ = std::max(counted, counted_);
  budget_ = &budget;
  if (capacity != capacity_) {
    auto* const data = static_cast<uint8_t*>(std::realloc(data_, capacity));
    if (!data) throw std::bad_alloc();
    data_ = data;
    capacity_ = capacity;
  }
  std::memcpy(data_ + size_, bytes.data(), bytes.size());
  size_ = needed;
  return true;
}

void Unread::move_to(ByteBudget& budget) {
  if (!data_) return;
  budget.charge(counted_);
  budget_->give_back(counted_);
  budget_ = &budget;
}

void Unread::drop_front(size_t bytes) {
  begin_ += bytes;
  if (begin_ == size_) clear();
}

void Unread::clear() {
  if (!data_) return;
  std::free(data_);
  forget();
}

void Unread::forget() {
  budget_->give_back(counted_);
  data_ = nullptr;
  size_ = begin_ = capacity_ = counted_ = 0;
}

SharedBytes Unread::release() {
  if (!data_) return nullptr;
  SharedBytes owner(data_, [](const uint8_t* data) { std::free(const_cast<uint8_t*>(data)); });
  forget();
  return owner;
}

}  // namespace shoal
