package compat;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** The few bytes of the protocol that are needed to have a session without pings. */
final class RawSession {
    /** Kept open for ever: the silence, not the end of the connection, must end the session. */
    private static final List<Socket> SILENT = new ArrayList<>();

    private RawSession() {}

    static void makeEphemeralAndFallSilent(String server, String path, int timeout) throws Exception {
        String[] parts = server.split(":");
        Socket socket = new Socket(parts[0], Integer.parseInt(parts[1]));
        SILENT.add(socket);
        DataOutputStream out = new DataOutputStream(socket.getOutputStream());
        DataInputStream in = new DataInputStream(socket.getInputStream());
        out.writeInt(45);
        out.writeInt(0);
        out.writeLong(0);
        out.writeInt(timeout);
        out.writeLong(0);
        out.writeInt(16);
        out.write(new byte[17]);
        in.readFully(new byte[in.readInt()]);
        byte[] name = path.getBytes(StandardCharsets.UTF_8);
        out.writeInt(8 + 4 + name.length + 4 + 4 + 4 + 9 + 10 + 4);
        out.writeInt(1);
        out.writeInt(1);
        out.writeInt(name.length);
        out.write(name);
        out.writeInt(0);
        out.writeInt(1);
        out.writeInt(31);
        out.writeInt(5);
        out.writeBytes("world");
        out.writeInt(6);
        out.writeBytes("anyone");
        out.writeInt(1);
        out.flush();
        byte[] reply = new byte[in.readInt()];
        in.readFully(reply);
        Check.that(reply[12] == 0 && reply[15] == 0, "create failed");
    }
}
