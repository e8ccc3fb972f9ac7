"""A real Chromium, driven over WebDriver, with what the scenarios need of it."""

import os
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from stage import PASSWORD, USER, wait_for

CHROMIUM = os.environ.get("INTERMISSION_CHROMIUM", "/usr/bin/chromium")
CHROMEDRIVER = os.environ.get("INTERMISSION_CHROMEDRIVER", "/usr/bin/chromedriver")
# Without the background flags Chromium asks for hosts of its maker at every start.
FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run
--disable-background-networking --disable-component-update --disable-sync
--disable-dev-shm-usage --hide-scrollbars --window-size=1000,900 --force-device-scale-factor=1""".split()


class Browser:
    """One visitor. A new profile each, so that no test sees another's cookies."""

    def __init__(self, site, profile, scripts="on", languages="en", flags=()):
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in [*FLAGS, *flags, f"--user-data-dir={profile}"]:
            options.add_argument(flag)
        preferences = {"intl.accept_languages": languages, "intl.selected_languages": languages}
        if scripts == "off":
            preferences["profile.managed_default_content_settings.javascript"] = 2
        options.add_experimental_option("prefs", preferences)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.site = site
        self.driver = webdriver.Chrome(options=options, service=Service(CHROMEDRIVER))
        self.driver.set_page_load_timeout(30)

    def quit(self):
        """Closes the browser."""
        self.driver.quit()

    def open(self, path):
        """Types an address."""
        self.driver.get(path if "://" in path else self.site + path)

    @property
    def at(self):
        """The path in the address bar."""
        return self.driver.current_url.removeprefix(self.site)

    @property
    def words(self):
        """What can be read on the page."""
        return self.one("body").text

    def one(self, css):
        """The first element that matches."""
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def all(self, css):
        """Every element that matches."""
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def press(self, css):
        """Presses a button and waits for the page that it leads to."""
        before = self.one("html")
        self.one(css).click()
        self.wait_until_gone(before)

    def wait_until_gone(self, element):
        """Waits until the page of this element was left for another that is loaded."""
        WebDriverWait(self.driver, 20).until(lambda _: gone(element))

    def log_in(self, path="/admin/login/?next=/admin/"):
        """Logs in to Django's admin."""
        self.open(path)
        self.one("#id_username").send_keys(USER)
        self.one("#id_password").send_keys(PASSWORD)
        self.press("[type=submit]")
        assert "Site administration" in self.words, self.words

    def fill_group(self, name):
        """Opens the admin's “Add group” and types a name; does not save."""
        self.open("/admin/auth/group/add/")
        self.one("#id_name").send_keys(name)

    def send(self):
        """Presses Send on a receipt."""
        self.press("form[action$='/resume'] button")

    def saved(self):
        """The receipts in this browser's list."""
        self.open("/.intermission/s")
        return [link.get_attribute("href") for link in self.all("a[href*='/.intermission/s/']")]

    def wait_for_words(self, words):
        """Waits until the page says this."""
        wait_for(lambda: words in self.words, words)

    def complaints(self):
        """What the console complains of, but for the status of the closed page itself."""
        lines = self.driver.get_log("browser")
        return [line for line in lines if line["level"] in ("SEVERE", "WARNING") and line["source"] != "network"]

    def emulate(self, command, **parameters):
        """One command of the DevTools protocol."""
        self.driver.execute_cdp_cmd(command, parameters)

    def narrow(self, width, height=800):
        """Makes the page this many CSS pixels wide."""
        self.emulate(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )

    def prefers(self, features):
        """Has these preferences, such as {"prefers-color-scheme": "dark"}, and no others."""
        features = [{"name": name, "value": value} for name, value in features.items()]
        self.emulate("Emulation.setEmulatedMedia", features=features)

    def dark(self):
        """Prefers a dark scheme."""
        self.prefers({"prefers-color-scheme": "dark"})

    def picture(self, name):
        """Saves a screenshot where INTERMISSION_SCREENSHOTS says, if it says."""
        if folder := os.environ.get("INTERMISSION_SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.driver.save_screenshot(str(Path(folder) / f"{name}.png"))


def gone(element):
    """Whether the page of this element was left."""
    try:
        element.is_enabled()
        return False
    except WebDriverException:
        return True
