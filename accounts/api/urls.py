"""Addresses of the JSON API of the people, below /api/v1/."""

from django.urls import path

from accounts.api import entrance, notifications, profile, programs

app_name = "accounts-api"
urlpatterns = [
    path("auth/register", entrance.Register.as_view(), name="register"),
    path("auth/verify-email", entrance.VerifyAddress.as_view(), name="verify-email"),
    path(
        "auth/verify-email/resend",
        entrance.ResendVerification.as_view(),
        name="resend-verification",
    ),
    path("auth/password", entrance.ChangePassword.as_view(), name="change-password"),
    path("auth/password/forgot", entrance.ForgotPassword.as_view(), name="forgot-password"),
    path("auth/password/reset", entrance.ResetPassword.as_view(), name="reset-password"),
    path("auth/tokens", entrance.Tokens.as_view(), name="tokens"),
    path("auth/tokens/refresh", entrance.RefreshTokens.as_view(), name="refresh-tokens"),
    path("auth/tokens/revoke", entrance.RevokeTokens.as_view(), name="revoke-tokens"),
    path("auth/sessions", programs.SignIns.as_view(), name="sign-ins"),
    path("auth/sessions/<uuid:public_id>", programs.OneSignIn.as_view(), name="sign-in"),
    path("auth/browsers", programs.Browsers.as_view(), name="browsers"),
    path("auth/browsers/<slug:reference>", programs.OneBrowser.as_view(), name="browser"),
    path("auth/personal-tokens", programs.PersonalTokens.as_view(), name="personal-tokens"),
    path(
        "auth/personal-tokens/<uuid:public_id>",
        programs.OnePersonalToken.as_view(),
        name="personal-token",
    ),
    path("me", profile.Me.as_view(), name="me"),
    path("me/email", profile.Address.as_view(), name="email"),
    path("me/second-factor", profile.SecondFactor.as_view(), name="second-factor"),
    path("me/deactivation", profile.Deactivation.as_view(), name="deactivation"),
    path("me/deletion", profile.Deletion.as_view(), name="deletion"),
    path("notifications", notifications.Notifications.as_view(), name="notifications"),
    path("notifications/read", notifications.ReadNotifications.as_view(), name="read-all"),
    path(
        "notifications/<uuid:public_id>/read", notifications.ReadNotification.as_view(), name="read"
    ),
]
