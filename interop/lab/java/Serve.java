import java.io.FileInputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.security.KeyStore;
import java.security.Security;
import java.util.Arrays;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;

/** Serves TLS with all that JSSE can do when its limits are lifted. Arguments: STORE, then PORT VERSIONS PART-OF-SUITE-NAME each. */
public class Serve {
    public static void main(String[] args) throws Exception {
        for (String limit : new String[] {"jdk.tls.disabledAlgorithms", "jdk.tls.legacyAlgorithms", "jdk.certpath.disabledAlgorithms"}) {
            Security.setProperty(limit, "");
        }
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (FileInputStream file = new FileInputStream(args[0])) {
            store.load(file, "changeit".toCharArray());
        }
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(store, "changeit".toCharArray());
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), null, null);
        ExecutorService pool = Executors.newCachedThreadPool();
        for (int i = 1; i + 2 < args.length; i += 3) {
            String part = args[i + 2];
            SSLServerSocket listener = (SSLServerSocket) context.getServerSocketFactory()
                .createServerSocket(Integer.parseInt(args[i]), 200, InetAddress.getByName("127.0.0.1"));
            listener.setEnabledProtocols(args[i + 1].split(","));
            listener.setEnabledCipherSuites(Arrays.stream(listener.getSupportedCipherSuites())
                .filter(name -> name.contains(part)).toArray(String[]::new));
            pool.execute(() -> accept(listener, pool));
        }
    }

    private static void accept(SSLServerSocket listener, ExecutorService pool) {
        while (true) {
            try {
                Socket socket = listener.accept();
                pool.execute(() -> answer((SSLSocket) socket));
            } catch (java.io.IOException e) {
                return;
            }
        }
    }

    private static void answer(SSLSocket socket) {
        try (socket) {
            socket.setSoTimeout(10_000);
            socket.startHandshake();
            byte[] request = new byte[4096];
            if (socket.getInputStream().read(request) > 0) {
                socket.getOutputStream().write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nlab".getBytes());
            }
        } catch (java.io.IOException e) {
            // A scanner hung up, or asked for what is not offered.
        }
    }
}
