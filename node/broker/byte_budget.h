// A number of bytes that several workers draw on: the memory that packets may take that are still
// arriving, CONNECTs that are not answered, and large payloads that not everyone has accepted yet.
#pragma once

#include <atomic>
#include <cstddef>

namespace shoal {

// Any thread.
class ByteBudget {
 public:
  explicit ByteBudget(size_t bytes_max) : bytes_max_(bytes_max) {}

  // False, and nothing taken, when there is not so much left.
  bool take(size_t bytes) {
    const size_t before = bytes_.fetch_add(bytes, std::memory_order_relaxed);
    if (before + bytes <= bytes_max_) return true;
    bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    return false;
  }
  // Takes what is there already, whether or not there is so much left.
  void charge(size_t bytes) { bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  void give_back(size_t bytes) { bytes_.fetch_sub(bytes, std::memory_order_relaxed); }
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  const size_t bytes_max_;
  std::atomic<size_t> bytes_{0};
};

// Bytes of a budget, given back when this ends.
class BudgetShare {
 public:
  BudgetShare() = default;
  BudgetShare(const BudgetShare&) = delete;
  BudgetShare& operator=(const BudgetShare&) = delete;
  ~BudgetShare() {
    if (budget_) budget_->give_back(bytes_);
  }

  // Once. False, and nothing taken, when there is not so much left.
  bool take(ByteBudget& budget, size_t bytes) {
    if (!budget.take(bytes)) return false;
    budget_ = &budget;
    bytes_ = bytes;
    return true;
  }

 private:
  ByteBudget* budget_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace shoal
