import java.net.InetSocketAddress;
import java.net.Socket;
import java.security.Security;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;

/** Makes one handshake for each version and suite of JSSE, its limits lifted. Argument: PORT. Prints "VERSION SUITE" for each that is taken. */
public class Ask {
    public static void main(String[] args) throws Exception {
        for (String limit : new String[] {"jdk.tls.disabledAlgorithms", "jdk.tls.legacyAlgorithms", "jdk.certpath.disabledAlgorithms"}) {
            Security.setProperty(limit, "");
        }
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, new TrustManager[] {new Trusting()}, null);
        int port = Integer.parseInt(args[0]);
        SSLSocket template = (SSLSocket) context.getSocketFactory().createSocket();
        for (String version : new String[] {"SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}) {
            for (String suite : template.getSupportedCipherSuites()) {
                if (suite.contains("SCSV") || suite.startsWith("TLS_KRB5")) {
                    continue;
                }
                if (taken(context, port, version, suite)) {
                    System.out.println(version + " " + suite);
                }
            }
        }
    }

    private static boolean taken(SSLContext context, int port, String version, String suite) throws Exception {
        for (int wait = 0; ; wait = wait * 2 + 50) {
            Thread.sleep(wait);
            Socket plain = new Socket();
            plain.setTcpNoDelay(true);
            try {
                plain.connect(new InetSocketAddress("127.0.0.1", port), 15_000);
            } catch (java.io.IOException e) {
                if (wait > 5_000) {
                    throw e;
                }
                continue; // servers refuse bursts
            }
            plain.setSoTimeout(15_000);
            try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(plain, "lab.test", port, true)) {
                socket.setEnabledProtocols(new String[] {version});
                socket.setEnabledCipherSuites(new String[] {suite});
                socket.startHandshake();
                return socket.getSession().getCipherSuite().equals(suite) && socket.getSession().getProtocol().equals(version);
            } catch (java.net.SocketTimeoutException e) {
                throw e;
            } catch (java.io.IOException | IllegalArgumentException e) {
                return false;
            }
        }
    }

    /** Believes every certificate: what a server offers is asked, not who it is. */
    private static final class Trusting implements X509TrustManager {
        public void checkClientTrusted(X509Certificate[] chain, String type) {}

        public void checkServerTrusted(X509Certificate[] chain, String type) {}

        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}
