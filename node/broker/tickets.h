// A ticket counts who has yet to accept one message. When nobody is left, the one who waits is told:
// the publishing client by PUBACK or PUBREC, or the worker that forwarded the message by an
// acceptance. A message that everyone accepted at once never has a ticket.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "shoal/message.h"
#include "shoal/types.h"

namespace shoal {

struct Session;

struct Ticket {
  enum class For : uint8_t {
    kNobody,  // its owner gave up: only picks are still made good
    kClient,  // conn, packet_id
    kRemote,  // origin, number
  };
  For owner = For::kNobody;
  Qos qos = Qos::k0;
  bool counted = false;     // in session->open_tickets
  bool not_placed = false;  // kRemote: the answer is kNotPlaced
  bool over_quota = false;  // kClient: the answer is 0x97
  uint16_t packet_id = 0;
  uint32_t pending = 0;    // who has yet to accept
  size_t large_bytes = 0;  // of a large payload: its publisher is not read meanwhile
  ConnId conn;
  Session* session = nullptr;  // the publisher's
  Instant since;               // when the PUBLISH came
  Place origin;
  uint64_t number = 0;
  MessageRef message;          // when a pick may have to be made again
  Ticket* previous = nullptr;  // in the order they were made
  Ticket* next = nullptr;
};

class TicketTable {
 public:
  TicketTable() = default;
  ~TicketTable();
  TicketTable(const TicketTable&) = delete;
  TicketTable& operator=(const TicketTable&) = delete;

  Ticket* create();
  void destroy(Ticket* ticket);
  Ticket* oldest() const { return first_; }
  uint32_t size() const { return size_; }

 private:
  Ticket* first_ = nullptr;
  Ticket* last_ = nullptr;
  Ticket* spare_ = nullptr;
  uint32_t size_ = 0;
};

}  // namespace shoal
