// What is worked on while one message goes through a worker.
#pragma once

#include <cstdint>
#include <span>

#include "node/broker/header_cache.h"
#include "node/broker/tickets.h"
#include "shoal/message.h"
#include "shoal/types.h"

namespace shoal {

// One message on its way through this worker, and who is to be told when it has arrived.
struct Publication {
  MessageView view;
  SharedBytes owner;   // of a large payload
  MessageRef message;  // made when it first has to outlive the turn
  HeaderCache* headers = nullptr;
  Session* publisher = nullptr;
  Ticket* ticket = nullptr;  // made when somebody first has to be waited for
  Ticket::For waits = Ticket::For::kNobody;
  ConnId conn;  // kClient
  uint16_t packet_id = 0;
  Place origin;  // kRemote
  uint64_t number = 0;
  Instant since;

  const MessageRef& reference() {
    if (!message) message = Message::create(view, owner);
    return message;
  }
};

// How one subscriber gets it.
struct Outgoing {
  Qos qos = Qos::k0;
  bool retain = false;
  bool dup = false;
  uint16_t packet_id = 0;
  std::span<const uint32_t> identifiers;
};

}  // namespace shoal
