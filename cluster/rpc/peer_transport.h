// The connections between nodes, as the hub sees them: the links of cluster/core/wire.h.
// Nothing here knows what frames mean, resends them, or dials again by itself: what a lost link
// costs is the hub's to decide.
//
// The control and the forward lane share a TCP connection; the bulk lane has its own, so that large
// payloads never stand before a heartbeat.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include "cluster/core/wire.h"
#include "shoal/types.h"

namespace shoal {

// Told of links, on threads of the transport: an implementation hands the event to the thread that
// owns the state and returns. Per link the order is: up (once, or never), frames, down (once).
class LinkSink {
 public:
  virtual ~LinkSink() = default;
  // `remote` is the other side's address, for people.
  virtual void on_link_up(LinkId link, bool dialed, std::string remote) = 0;
  // A batch of whole frames, well-formed: read it with FrameReader (frames.h).
  virtual void on_frames(LinkId link, Lane lane, std::string batch) = 0;
  // Also of a dial that came to nothing. Not of a link that was accepted and never came up, nor of
  // one that was closed from here.
  virtual void on_link_down(LinkId link, std::string reason) = 0;
};

// PEM files of mutual TLS between nodes. Whoever the CA signed is a peer: the name in a certificate
// is not compared with the address dialled, since a node is its identity and may move.
struct PeerCertificateFiles {
  std::string cert;
  std::string key;
  std::string ca;
};

struct PeerTransportOptions {
  std::string listen;  // HOST:PORT; port 0 lets the system choose
  PeerCertificateFiles certificates;
  bool insecure = false;                         // no TLS; `certificates` is ignored
  Duration open_timeout = Duration::seconds(2);  // for a link to come up
};

// All functions but the constructor's are for one thread, the hub's.
class PeerTransport {
 public:
  // Fails when the address cannot be listened on or the certificates cannot be used; the message
  // names which. `sink` outlives the transport.
  static absl::StatusOr<std::unique_ptr<PeerTransport>> start(const PeerTransportOptions& options,
                                                              LinkSink& sink);
  // Closes all links; the sink hears of none of it.
  virtual ~PeerTransport() = default;

  virtual uint16_t port() const = 0;

  // One attempt, at once: ends in on_link_up or on_link_down. `address` is HOST:PORT; of a name
  // with several addresses each attempt takes another. `link` is below kAcceptedLink and new.
  virtual void dial(LinkId link, const std::string& address) = 0;

  // Dropped when the link is not up. A lane that would hold more than kLaneBytesMax takes its link
  // down: the hub's windows keep far below that.
  virtual void send(LinkId link, Lane lane, std::span<const uint8_t> frame) = 0;
  static constexpr size_t kLaneBytesMax = 128 * 1024 * 1024;

  // Starts the writes that are due and gives up links that took too long to open. To be called
  // after the frames of a turn, and again at the time it returns.
  virtual Instant poll(Instant now) = 0;

  // Ends what links that are down have left, which may wait for threads of the transport: to be called
  // now and then, by a thread that has the time, and not one of these.
  virtual void let_go() = 0;

  // Bytes given to send() whose write has not begun.
  virtual size_t unsent_bytes(LinkId link) const = 0;

  // What was sent on the control lane still goes, if the other side reads it within a second; what lies in
  // the other lanes may not. What the sink was told of it on another thread may still be on its way.
  virtual void close(LinkId link) = 0;

  // Reads the certificate files again; on an error those in use stay. Links that are up stay up.
  virtual absl::Status reload_certificates() = 0;
};

}  // namespace shoal
