"""MQTT, PROXY headers, WebSocket and TLS byte by byte, for tests that send what no client library would."""
import base64
import ipaddress
import os
import socket
import ssl
import struct
import subprocess

V2_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


# -- MQTT ----------------------------------------------------------------------------------------------------------

def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">H", len(data)) + data


def variable_int(value):
    data = bytearray()
    while True:
        value, digit = value >> 7, value & 0x7F
        data.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(data)


def fixed_header(first_byte, remaining_length):
    return bytes([first_byte]) + variable_int(remaining_length)


def packet(first_byte, body):
    return fixed_header(first_byte, len(body)) + body


def connect_packet(client_id="", version=5, user=None, password=None, keep_alive=60, clean=True, expiry_s=None):
    flags = (0x02 if clean else 0) | (0x80 if user is not None else 0) | (0x40 if password is not None else 0)
    name = "MQIsdp" if version == 3 else "MQTT"
    body = string(name) + bytes([version, flags]) + struct.pack(">H", keep_alive)
    if version == 5:
        body += b"\0" if expiry_s is None else b"\x05\x11" + struct.pack(">I", expiry_s)
    for text in (client_id, user, password):
        body += string(text) if text is not None else b""
    return packet(0x10, body)


def subscribe_packet(topic_filter, qos=0, packet_id=1, version=5):
    properties = b"\0" if version == 5 else b""
    return packet(0x82, struct.pack(">H", packet_id) + properties + string(topic_filter) + bytes([qos]))


def publish_packet(topic, payload, qos=0, packet_id=1, version=5, retain=False, dup=False, properties=b""):
    """`properties` are of 5.0, fewer than 128 bytes."""
    body = string(topic) + (struct.pack(">H", packet_id) if qos else b"")
    if version == 5:
        body += bytes([len(properties)]) + properties
    return packet(0x30 | dup << 3 | qos << 1 | retain, body + payload)


def pubrel_packet(packet_id):
    return packet(0x62, struct.pack(">H", packet_id))


PINGREQ, PINGRESP, DISCONNECT = b"\xc0\0", b"\xd0\0", b"\xe0\0"


class Closed(Exception):
    """The broker closed the connection."""


class Wire:
    """A stream of MQTT packets over anything with sendall() and recv()."""

    def __init__(self, sock, timeout_s=15):
        sock.settimeout(timeout_s)
        self.sock, self.buffer = sock, bytearray()

    def send(self, *packets):
        self.sock.sendall(b"".join(packets))
        return self

    def more(self):
        try:
            data = self.sock.recv(65536)
        except (ConnectionError, ssl.SSLError) as error:
            raise Closed(str(error)) from error
        if not data:
            raise Closed("end of stream")
        self.buffer += data

    def take(self, size):
        while len(self.buffer) < size:
            self.more()
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def packet(self):
        """(first byte, body) of the next packet; Closed at the end, TimeoutError when nothing comes."""
        first, size, shift = self.take(1)[0], 0, 0
        while True:
            digit = self.take(1)[0]
            size |= (digit & 0x7F) << shift
            shift += 7
            if digit < 0x80:
                return first, self.take(size)

    def connect(self, client_id="", **arguments):
        """Sends CONNECT; the Reason Code of the CONNACK."""
        first, body = self.send(connect_packet(client_id, **arguments)).packet()
        assert first == 0x20, hex(first)
        self.connack = body
        return body[1]

    def ping(self):
        first, body = self.send(PINGREQ).packet()
        assert (first, body) == (0xD0, b""), (first, body)

    def expect(self, first_byte):
        first, body = self.packet()
        assert first == first_byte, f"expected {first_byte:#x}, got {first:#x} {body.hex()}"
        return body

    def rest(self):
        """All that comes until the broker closes."""
        try:
            while True:
                self.more()
        except Closed:
            return bytes(self.buffer)

    def close(self):
        self.sock.close()


def tcp(port, first=b"", timeout_s=15):
    sock = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
    sock.sendall(first)
    return sock


def unix(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(path))
    return sock


# -- PROXY protocol ------------------------------------------------------------------------------------------------

def tlv(kind, value):
    return struct.pack(">BH", kind, len(value)) + value


def proxy_v2(source=None, port=40000, tlvs=b"", command=1):
    """Without a source the connection is of an unknown kind; command 0 is LOCAL."""
    if source is None:
        family, block = 0, b""
    else:
        address = ipaddress.ip_address(source)
        target = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
        family = 0x11 if address.version == 4 else 0x21
        block = address.packed + target.packed + struct.pack(">HH", port, 1883)
    return V2_SIGNATURE + struct.pack(">BBH", 0x20 | command, family, len(block + tlvs)) + block + tlvs


# -- WebSocket -----------------------------------------------------------------------------------------------------

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(opcode, payload=b"", fin=True, mask=b"\x5a\x01\xff\x10"):
    """A client's frame."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else \
        b"\xfe" + struct.pack(">H", size) if size < 65536 else b"\xff" + struct.pack(">Q", size)
    masked = bytes(b ^ mask[i & 3] for i, b in enumerate(payload))
    return bytes([(0x80 if fin else 0) | opcode]) + length + mask + masked


def upgrade_request(path="/mqtt", protocol="mqtt", **headers):
    lines = {"Host": "127.0.0.1", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
             "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode()}
    if protocol:
        lines["Sec-WebSocket-Protocol"] = protocol
    lines.update({name.replace("_", "-"): value for name, value in headers.items()})
    return (f"GET {path} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in lines.items()) + "\r\n").encode()


class WebSocket:
    """A socket after the upgrade: sendall() and recv() are of the MQTT inside, frame by frame."""

    def __init__(self, sock, **request):
        self.sock, self.raw, self.control = sock, Wire(sock), []
        sock.sendall(upgrade_request(**request))
        self.response = b""
        while not self.response.endswith(b"\r\n\r\n"):
            self.response += self.raw.take(1)
        self.status = int(self.response.split()[1])

    def settimeout(self, timeout_s):
        self.sock.settimeout(timeout_s)

    def sendall(self, data):
        self.sock.sendall(frame(BINARY, data))

    def send_frames(self, *frames):
        self.sock.sendall(b"".join(frames))

    def next_frame(self):
        first, size = self.raw.take(2)
        if size == 126:
            size = struct.unpack(">H", self.raw.take(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self.raw.take(8))[0]
        return first, self.raw.take(size)

    def recv(self, _):
        """The payload of the next binary frame; control frames before it are kept in `control`."""
        while True:
            first, payload = self.next_frame()
            if first == 0x80 | BINARY:
                return payload
            self.control.append((first & 0xF, payload))
            if first & 0xF == CLOSE:
                return b""

    def close(self):
        self.sock.close()


# -- TLS -----------------------------------------------------------------------------------------------------------

class Authority:
    """Signs certificates with the openssl program; files in `directory`."""

    def __init__(self, directory, name="authority"):
        self.directory, self.name = directory, name
        self.cert, self.key = f"{directory}/{name}.pem", f"{directory}/{name}.key"
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                     "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.cert)

    @staticmethod
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)

    def issue(self, name, hosts=("localhost",)):
        """(certificate, key) for a server of these hosts, and 127.0.0.1, or a client of this name."""
        stem = f"{self.directory}/{self.name}-{name}"
        with open(f"{stem}.ext", "w", encoding="utf-8") as extensions:
            extensions.write("subjectAltName=IP:127.0.0.1," + ",".join(f"DNS:{h}" for h in hosts) + "\n")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
                     "-keyout", f"{stem}.key", "-out", f"{stem}.csr")
        self.openssl("x509", "-req", "-in", f"{stem}.csr", "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial",
                     "-days", "30", "-extfile", f"{stem}.ext", "-out", f"{stem}.pem")
        return f"{stem}.pem", f"{stem}.key"


def tls(sock, ca, host="localhost", own=None, version=None):
    """`sock` with TLS on top; `own` is the client's (certificate, key)."""
    context = ssl.create_default_context(cafile=ca)
    if own:
        context.load_cert_chain(*own)
    if version:
        context.minimum_version = context.maximum_version = version
    return context.wrap_socket(sock, server_hostname=host)
