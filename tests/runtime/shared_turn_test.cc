#include "node/runtime/shared_turn.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "node/runtime/clock.h"
#include "node/runtime/mailbox.h"

namespace shoal {
namespace {

// Longer than any wait that is not a lost wake-up.
constexpr Duration kTurnPatience = Duration::seconds(20);

TEST(SharedTurn, IsOfOneAtATime) {
  SharedTurn turn;
  SharedTurn::Lock owners = turn.begin();
  std::thread([&] { EXPECT_FALSE(turn.try_begin()); }).join();
  turn.end(std::move(owners), mono_now() + kTurnPatience);
  SharedTurn::Lock guests = turn.try_begin();
  EXPECT_TRUE(guests);
  std::thread([&] { EXPECT_FALSE(turn.try_begin()); }).join();
}

TEST(SharedTurn, AGuestTellsTheSleepingOwnerWhenTheNextIsDue) {
  SharedTurn turn;
  std::atomic<bool> sleeps = false;
  Instant woke;
  std::thread owner([&] {
    turn.end(turn.begin(), mono_now() + kTurnPatience);
    sleeps = true;
    turn.sleep();
    turn.awake();
    woke = mono_now();
  });
  while (!sleeps) std::this_thread::yield();
  const Instant begin = mono_now();
  // Of two the earlier counts; what is later than the owner's own changes nothing.
  turn.end_as_guest(turn.try_begin(), begin + Duration::seconds(5));
  turn.end_as_guest(turn.try_begin(), begin + Duration::millis(50));
  turn.end_as_guest(turn.try_begin(), Instant::never());
  owner.join();
  EXPECT_GE(woke, begin + Duration::millis(50));
  EXPECT_LT(woke, begin + Duration::seconds(5));
}

TEST(SharedTurn, TheOwnerWakesByItselfWhereNobodyComes) {
  SharedTurn turn;
  const Instant due = mono_now() + Duration::millis(20);
  turn.end(turn.begin(), due);
  turn.sleep();
  EXPECT_GE(mono_now(), due);
}

// As HubThread does it: some mail is done by its sender, some posted, as it happens.
class CountingThread {
 public:
  explicit CountingThread(int senders) : next_(static_cast<size_t>(senders), 0) {}

  void post(int sender, int number) {
    // Every third is too much for a guest.
    if (number % 3 != 0) {
      if (SharedTurn::Lock lock = turn_.try_begin(); lock && !mailbox_.has_mail()) {
        on({sender, number});
        ++by_guests_;
        return turn_.end_as_guest(std::move(lock), mono_now() + Duration::millis(1));
      }
    }
    mailbox_.post({sender, number});
  }

  // Until it has so many in all.
  void run(int count) {
    std::vector<Mail> mails;
    while (true) {
      SharedTurn::Lock lock = turn_.begin();
      mailbox_.take(mails);
      for (const Mail& mail : mails) on(mail);
      mails.clear();
      if (got_ == count) return;
      const Instant until = mono_now() + kTurnPatience;
      turn_.end(std::move(lock), until);
      if (!mailbox_.has_mail()) turn_.sleep();
      turn_.awake();
      ASSERT_LT(mono_now(), until) << "a wake-up was lost";
    }
  }

  int by_guests() const { return by_guests_; }

 private:
  using Mail = std::pair<int, int>;  // sender, number

  void on(const Mail& mail) {
    ++got_;
    EXPECT_EQ(mail.second, next_[static_cast<size_t>(mail.first)]++);
  }

  SharedTurn turn_;
  Mailbox<Mail> mailbox_{turn_.wake_up()};
  std::vector<int> next_;  // with the turn, as what follows
  int got_ = 0;
  int by_guests_ = 0;
};

TEST(SharedTurn, NothingIsLostAndEachSendersOrderHolds) {
  constexpr int kSenders = 3;
  constexpr int kMails = 20'000;
  CountingThread owner(kSenders);
  std::vector<std::thread> senders;
  for (int sender = 0; sender < kSenders; ++sender) {
    senders.emplace_back([&owner, sender] {
      for (int i = 0; i < kMails; ++i) {
        owner.post(sender, i);
        // So that the owner sleeps now and then.
        if (i % 32 == 0) std::this_thread::sleep_for(std::chrono::microseconds(20));
      }
    });
  }
  owner.run(kSenders * kMails);
  for (std::thread& sender : senders) sender.join();
  EXPECT_GT(owner.by_guests(), 0);
  EXPECT_LT(owner.by_guests(), kSenders * kMails);
}

}  // namespace
}  // namespace shoal
