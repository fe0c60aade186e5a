export default function HomePage() {
  return (
    <div class="page">
      <header class="page-heading">
        <h1>Reads facial expressions, and says when it is unsure</h1>
        <p class="soft">
          fervid finds the faces in a picture and tells how their expressions read: seven calibrated shares
          each, or “uncertain”. It runs on the machine that serves this page; nothing is sent anywhere else.
        </p>
      </header>
    </div>
  );
}
