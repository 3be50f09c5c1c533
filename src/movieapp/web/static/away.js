// The page comes back by itself: it asks every few seconds whether there is something to show.
"use strict";

setInterval(async () => {
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (answer.ok) location.reload();
  } catch {
    // The app is away, too; ask again.
  }
}, 3000);
