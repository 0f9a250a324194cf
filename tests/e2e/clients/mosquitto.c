// Eclipse Mosquitto's library: a subscriber and a publisher on two nodes, each QoS, a retained message, a
// will. mosquitto VERSION SUBSCRIBER_PORT PUBLISHER_PORT CA-OR-NOTHING TOPIC; exits with 0 when all came.
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct seen {
  int connected;
  int subscribed;
  int granted;
  int published;
  int messages;
  char topic[256];
  char payload[256];
  int qos;
  bool retain;
};

static const char* version;

static void check(bool is_good, const char* what) {
  if (is_good) return;
  fprintf(stderr, "mosquitto, MQTT %s: %s\n", version, what);
  exit(1);
}

static void on_connect(struct mosquitto* client, void* data, int reason) {
  (void)client;
  check(reason == 0, "CONNACK");
  ((struct seen*)data)->connected++;
}

static void on_subscribe(struct mosquitto* client, void* data, int mid, int count,
                         const int* granted) {
  (void)client, (void)mid;
  struct seen* const seen = data;
  seen->subscribed++;
  seen->granted = count == 1 ? granted[0] : -1;
}

static void on_publish(struct mosquitto* client, void* data, int mid) {
  (void)client, (void)mid;
  ((struct seen*)data)->published++;
}

static void on_message(struct mosquitto* client, void* data,
                       const struct mosquitto_message* message) {
  (void)client;
  struct seen* const seen = data;
  seen->messages++;
  seen->qos = message->qos;
  seen->retain = message->retain;
  snprintf(seen->topic, sizeof seen->topic, "%s", message->topic);
  snprintf(seen->payload, sizeof seen->payload, "%.*s", message->payloadlen,
           (const char*)message->payload);
}

static void wait_for(struct mosquitto* client, const int* counter, int wanted, const char* what) {
  const time_t end = time(NULL) + 30;
  while (*counter < wanted) {
    check(mosquitto_loop(client, 100, 1) == MOSQ_ERR_SUCCESS, "the connection ended");
    check(time(NULL) < end, what);
  }
}

static struct mosquitto* connect_to(const char* port, const char* ca, const char* will_topic,
                                    struct seen* seen) {
  struct mosquitto* const client = mosquitto_new(NULL, true, seen);
  const int number = strcmp(version, "5.0") == 0   ? MQTT_PROTOCOL_V5
                     : strcmp(version, "3.1") == 0 ? MQTT_PROTOCOL_V31
                                                   : MQTT_PROTOCOL_V311;
  mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, number);
  mosquitto_connect_callback_set(client, on_connect);
  mosquitto_subscribe_callback_set(client, on_subscribe);
  mosquitto_publish_callback_set(client, on_publish);
  mosquitto_message_callback_set(client, on_message);
  if (*ca != '\0') {
    check(mosquitto_tls_set(client, ca, NULL, NULL, NULL, NULL) == MOSQ_ERR_SUCCESS, "TLS");
  }
  if (will_topic != NULL) {
    check(mosquitto_will_set(client, will_topic, 4, "gone", 1, false) == MOSQ_ERR_SUCCESS, "will");
  }
  check(mosquitto_connect(client, "localhost", atoi(port), 60) == MOSQ_ERR_SUCCESS, "connect");
  wait_for(client, &seen->connected, 1, "no CONNACK");
  return client;
}

static void subscribe(struct mosquitto* client, struct seen* seen, const char* topic, int qos) {
  const int before = seen->subscribed;
  check(mosquitto_subscribe(client, NULL, topic, qos) == MOSQ_ERR_SUCCESS, "subscribe");
  wait_for(client, &seen->subscribed, before + 1, "no SUBACK");
  check(seen->granted == qos, "another QoS was granted");
}

static void publish(struct mosquitto* client, struct seen* seen, const char* topic,
                    const char* payload, int qos, bool retain) {
  const int before = seen->published;
  const int size = (int)strlen(payload);
  check(mosquitto_publish(client, NULL, topic, size, payload, qos, retain) == MOSQ_ERR_SUCCESS,
        "publish");
  wait_for(client, &seen->published, before + 1, "no acknowledgement");
}

static void expect(struct mosquitto* client, struct seen* seen, const char* topic,
                   const char* payload, int qos, bool retain) {
  static int expected = 0;
  wait_for(client, &seen->messages, ++expected, "no message came");
  check(strcmp(seen->topic, topic) == 0, "another topic");
  check(strcmp(seen->payload, payload) == 0, "another payload");
  check(seen->qos == qos, "another QoS");
  check(seen->retain == retain, "another retain flag");
}

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  version = argv[1];
  mosquitto_lib_init();
  char topic[256];
  snprintf(topic, sizeof topic, "%s/will", argv[5]);
  struct seen subscribed = {0};
  struct seen published = {0};
  struct mosquitto* const subscriber = connect_to(argv[2], argv[4], NULL, &subscribed);
  struct mosquitto* const publisher = connect_to(argv[3], argv[4], topic, &published);
  subscribe(subscriber, &subscribed, topic, 1);
  for (int qos = 0; qos <= 2; ++qos) {
    snprintf(topic, sizeof topic, "%s/%d", argv[5], qos);
    subscribe(subscriber, &subscribed, topic, qos);
    for (int i = 0; i < 5; ++i) {
      char payload[32];
      snprintf(payload, sizeof payload, "message %d", i);
      publish(publisher, &published, topic, payload, qos, false);
      expect(subscriber, &subscribed, topic, payload, qos, false);
    }
  }
  snprintf(topic, sizeof topic, "%s/kept", argv[5]);
  publish(publisher, &published, topic, "kept", 1, true);
  subscribe(subscriber, &subscribed, topic, 1);
  expect(subscriber, &subscribed, topic, "kept", 1, true);
  publish(publisher, &published, topic, "", 1, true);
  // Its connection ends without a DISCONNECT; the empty message comes first, the will after it.
  expect(subscriber, &subscribed, topic, "", 1, false);
  mosquitto_destroy(publisher);
  snprintf(topic, sizeof topic, "%s/will", argv[5]);
  expect(subscriber, &subscribed, topic, "gone", 1, false);
  mosquitto_disconnect(subscriber);
  mosquitto_destroy(subscriber);
  mosquitto_lib_cleanup();
  return 0;
}
