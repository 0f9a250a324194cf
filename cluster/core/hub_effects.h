// What a hub asks of the world. Within one kind the order holds; a link's sends leave before its
// close. The runtime carries them out after each event and calls clear().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/core/store_plan.h"
#include "cluster/core/stored_state.h"
#include "cluster/core/wire.h"
#include "shoal/peers.h"

namespace shoal {

struct HubEffects {
  // Connect to HOST:PORT (a name may stand for several addresses: each attempt takes another). Ends
  // in on_link_up or on_link_down; the hub closes what takes it too long.
  struct Dial {
    LinkId link = 0;
    std::string address;
  };
  // Give the link up; nothing of it is reported any more, on_link_down neither.
  struct Close {
    LinkId link = 0;
    std::string why;
  };
  struct Send {
    LinkId link = 0;
    Lane lane = Lane::kControl;
    FrameRef frame;
  };
  // Mail for every worker in the mask, the same for each.
  struct Mail {
    uint64_t workers = 0;
    ToWorker mail;
  };
  // Replace what is stored by `state`, durably; then on_stored(token). One may take the place of an
  // older one that is not written yet, if both are reported.
  struct Store {
    uint64_t token = 0;
    StoredState state;
  };
  // Make it durable, after those before it; then Hub::on_retained_written(number).
  struct RetainedWrite {
    enum class Kind : uint8_t {
      kPut,     // the topic's message, or tombstone (an empty payload)
      kForget,  // nothing is known of the topic any more
      kClear,   // of any topic
      kAsOf,    // all that is kept is complete as of `wall_ms`
    };
    uint64_t number = 0;
    Kind kind = Kind::kPut;
    MessageRef message;
    Stamp stamp;
    int64_t wall_ms = 0;  // of kPut: when the message expires; 0: never
    std::string topic;    // of kForget
  };
  // For people: one line.
  struct Log {
    enum class Level : uint8_t { kInfo, kWarn, kError };
    Level level = Level::kInfo;
    std::string line;
  };
  // What became of a command.
  struct Answer {
    uint64_t token = 0;
    bool ok = true;
    std::string text;
  };

  // Open the disks of the store; then Hub::on_store_open(). Once at most.
  std::optional<StorePlan> open_store;
  std::vector<Dial> dials;
  std::vector<Close> closes;
  std::vector<Send> sends;
  std::vector<Mail> mails;
  std::vector<Store> stores;
  std::vector<RetainedWrite> retained_writes;
  std::vector<Log> logs;
  std::vector<Answer> answers;

  bool empty() const {
    return !open_store && dials.empty() && closes.empty() && sends.empty() && mails.empty() &&
           stores.empty() && retained_writes.empty() && logs.empty() && answers.empty();
  }
  void clear() {
    open_store.reset();
    dials.clear();
    closes.clear();
    sends.clear();
    mails.clear();
    stores.clear();
    retained_writes.clear();
    logs.clear();
    answers.clear();
  }
};

}  // namespace shoal
