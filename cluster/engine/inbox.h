// Values from threads to a thread, in order for each sender. The reader sleeps while there are none.
#pragma once

#include <chrono>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

namespace shoal::engine {

template <class Value>
class Inbox {
 public:
  // Any thread. Takes all of `values`, and leaves it empty.
  void post_all(std::vector<Value>& values) {
    if (values.empty()) return;
    {
      const std::lock_guard lock(mutex_);
      if (values_.empty()) {
        values_.swap(values);
      } else {
        std::move(values.begin(), values.end(), std::back_inserter(values_));
      }
    }
    values.clear();
    changed_.notify_one();
  }
  // Any thread: the reader is to end, whatever waits.
  void close() {
    {
      const std::lock_guard lock(mutex_);
      is_closed_ = true;
    }
    changed_.notify_one();
  }

  // The reader. Swaps what came into `values`, which is empty; false: closed.
  bool take(std::vector<Value>& values) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return is_closed_ || !values_.empty(); });
    values.swap(values_);
    return !is_closed_;
  }
  // The same, but at `until` it has nothing.
  bool take(std::vector<Value>& values, std::chrono::steady_clock::time_point until) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, until, [this] { return is_closed_ || !values_.empty(); });
    values.swap(values_);
    return !is_closed_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Value> values_;
  bool is_closed_ = false;
};

}  // namespace shoal::engine
